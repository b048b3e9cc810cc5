import { HearthError } from '../../kernel/mod.ts';
import { TRACE_LIMITS, decoderOf } from './source.ts';

/** The lines of a text, many at a time. Throws HearthError `TraceInvalid` or `TraceTooLarge`. */
export async function* linesOf(bytes: AsyncIterable<Uint8Array>, file: string): AsyncGenerator<readonly string[]> {
  const decode = decoderOf(file);
  let rest = '';
  for await (const chunk of bytes) {
    const lines = (rest + decode(chunk)).split('\n');
    rest = lines.pop()!;
    for (const line of [rest, ...lines])
      if (line.length > TRACE_LIMITS.lineCharacters)
        throw new HearthError('TraceTooLarge', `${file}: a line has more than ${TRACE_LIMITS.lineCharacters} characters`);
    yield lines.map(withoutReturn);
  }
  rest += decode(undefined);
  if (rest !== '') yield [withoutReturn(rest)];
}

const withoutReturn = (line: string): string => (line.endsWith('\r') ? line.slice(0, -1) : line);
