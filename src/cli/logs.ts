import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { HearthError } from '../kernel/mod.ts';
import type { Context } from './context.ts';
import { sinceOf } from './text.ts';

export type LogsOptions = { readonly follow?: boolean; readonly since?: string; readonly requestId?: string; readonly limit?: string };

/** One line of the admin API's answer. */
type LogLine = { readonly timeMs: number; readonly requestId?: string; readonly level?: string; readonly text: string };

/** Prints a function's log; with --follow until interrupted, or until the platform goes away. */
export async function logs({ out, client }: Context, name: string, options: LogsOptions): Promise<void> {
  const interrupted = new AbortController();
  process.once('SIGINT', () => interrupted.abort());
  process.once('SIGTERM', () => interrupted.abort());
  const query = {
    since: sinceOf(options.since),
    requestId: options.requestId,
    limit: options.limit,
    follow: options.follow ? 1 : undefined,
  };
  const path = `/_hearth/functions/${encodeURIComponent(name)}/logs`;
  try {
    const response = await client.send({ method: 'GET', path, query, signal: interrupted.signal });
    if (!response.body) return;
    for await (const line of createInterface({ input: Readable.fromWeb(response.body), crlfDelay: Infinity })) {
      // Empty lines keep a quiet connection open.
      if (line !== '') print(out, line);
    }
  } catch (error) {
    if (interrupted.signal.aborted) return;
    if (error instanceof HearthError) throw error;
    throw new HearthError('Unreachable', 'the connection broke off while the log was being read', { cause: error });
  }
}

function print(out: Context['out'], line: string): void {
  if (out.json) return out.raw(`${line}\n`);
  const { timeMs, level, text } = JSON.parse(line) as LogLine;
  const time = out.paint.dim(new Date(timeMs).toISOString());
  // Lines in Lambda's form begin with their own time.
  const own = text.replace(/^\d{4}-\d\d-\d\dT[\d:.]+Z\t/, '').replaceAll('\t', ' ');
  const shown = level === 'ERROR' || level === 'FATAL' ? out.paint.red(own) : level === 'WARN' ? out.paint.yellow(own) : own;
  out.raw(`${time} ${shown}\n`);
}
