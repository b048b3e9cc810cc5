/** Reads a trace of whichever format; which it is, is seen by how it begins. */
import { HearthError } from '../../kernel/mod.ts';
import { INVOCATION_TRACE } from '../../protocol/mod.ts';
import type { Trace } from '../trace.ts';
import { readAzure } from './azure.ts';
import { readCompact } from './compact.ts';
import { readHearth } from './hearth.ts';
import { TRACE_LIMITS, decoderOf } from './source.ts';
import type { TraceSource } from './source.ts';

export const TRACE_FORMATS = ['azure', 'compact', 'hearth'] as const;
export type TraceFormat = (typeof TRACE_FORMATS)[number];

export type ReadTrace = {
  readonly trace: Trace;
  /** What was assumed or left out, and how often. */
  readonly warnings: readonly string[];
  readonly format: TraceFormat;
};

export type ReadOptions = { readonly name: string; readonly format?: TraceFormat };

/** Throws HearthError `TraceInvalid` or `TraceTooLarge`. */
export async function readTrace(sources: readonly TraceSource[], { name, format }: ReadOptions): Promise<ReadTrace> {
  const [first] = sources;
  if (!first) throw new HearthError('TraceInvalid', `${name}: there are no files of a trace`);
  if (sources.length > TRACE_LIMITS.files)
    throw new HearthError('TraceTooLarge', `${name}: a trace may have at most ${TRACE_LIMITS.files} files`);
  const read = await readAs(format ?? formatOf(await beginning(first)), sources, name);
  if (read.trace.functions.length === 0) throw new HearthError('TraceInvalid', `${name}: no function is ever called`);
  return read;
}

function readAs(format: TraceFormat, sources: readonly TraceSource[], name: string): Promise<ReadTrace> {
  if (format === 'azure') return readAzure(sources, name);
  if (sources.length > 1) throw new HearthError('TraceInvalid', `${name}: a trace of format ${format} is one file, not ${sources.length}`);
  return format === 'compact' ? readCompact(sources[0]!, name) : readHearth(sources[0]!, name);
}

/** Enough to tell the formats apart. */
const BEGINNING_CHARACTERS = 64;

async function beginning(source: TraceSource): Promise<string> {
  const decode = decoderOf(source.name);
  let text = '';
  for await (const chunk of source.open()) {
    text = (text + decode(chunk)).trimStart();
    if (text.length >= BEGINNING_CHARACTERS) break;
  }
  return text;
}

function formatOf(text: string): TraceFormat {
  if (!text.startsWith('{')) return 'azure';
  return text.slice(1).trimStart().startsWith(`"${INVOCATION_TRACE.key}"`) ? 'hearth' : 'compact';
}
