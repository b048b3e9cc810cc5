import { createHmac, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { HearthError } from '../kernel/mod.ts';
import type { Context } from './context.ts';
import { sinceOf } from './text.ts';

export type ExportTraceOptions = { readonly since?: string; readonly function?: readonly string[]; readonly anonymous?: boolean };

/** Writes what the platform has recorded of invocations to stdout, as lines that `hearth replay` reads. */
export async function exportTrace({ client, out }: Context, options: ExportTraceOptions): Promise<void> {
  const query = new URLSearchParams((options.function ?? []).map((name) => ['function', name]));
  const since = sinceOf(options.since);
  if (since !== undefined) query.set('since', String(since));
  const path = `/_hearth/trace${query.size === 0 ? '' : `?${query.toString()}`}`;
  const response = await client.send({ method: 'GET', path });
  const change = options.anonymous ? anonymously() : (line: string) => line;
  let last = '';
  for await (const line of linesOf(response)) {
    last = line;
    if (!process.stdout.write(`${change(line)}\n`)) await once(process.stdout, 'drain');
  }
  const { end, invocations, limited } = JSON.parse(last || '{}') as { end?: boolean; invocations?: number; limited?: boolean };
  if (end !== true) throw brokeOff();
  if (limited) out.warn(`that is all that one export may have; a later --since, or --function, leaves less out`);
  out.note(`${invocations} invocations exported`);
}

async function* linesOf(response: Response): AsyncGenerator<string> {
  if (!response.body) return;
  try {
    yield* createInterface({ input: Readable.fromWeb(response.body), crlfDelay: Infinity });
  } catch (error) {
    throw brokeOff(error);
  }
}

const brokeOff = (cause?: unknown): HearthError =>
  new HearthError('Unreachable', 'the connection broke off while the trace was being exported; what has been written is not whole', {
    cause,
  });

/** Names become hashes by a key that is forgotten at the end: one export holds together, and two can't be joined. */
function anonymously(): (line: string) => string {
  const key = randomBytes(32);
  return (line) => {
    const fields = JSON.parse(line) as Record<string, unknown>;
    const { function: name } = fields;
    if (typeof name === 'string')
      return JSON.stringify({ ...fields, function: createHmac('sha256', key).update(name).digest('hex').slice(0, 16) });
    return JSON.stringify('exportedMs' in fields ? { ...fields, anonymous: true } : fields);
  };
}
