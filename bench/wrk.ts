import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

export type Load = { readonly url: string; readonly host?: string; readonly connections: number; readonly seconds: number };
export type LoadResult = { readonly requestsPerSecond: number; readonly p50Us: number; readonly p99Us: number };

const run = promisify(execFile);

/** Puts load on `url` with wrk, by one thread. Throws when a request was answered by an error, or none was answered. */
export async function wrk(load: Load): Promise<LoadResult> {
  const host = load.host === undefined ? [] : ['-H', `Host: ${load.host}`];
  const script = join(import.meta.dirname, 'wrk.lua');
  const args = ['-t1', `-c${load.connections}`, `-d${load.seconds}s`, '--latency', '--timeout', '10s', '-s', script, ...host, load.url];
  const { stdout } = await run('wrk', args).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') {
      throw new Error('wrk is not installed. It makes the load: apt-get install wrk', { cause: error });
    }
    throw error;
  });
  const line = stdout.split('\n').find((text) => text.startsWith('{'));
  if (line === undefined) throw new Error(`wrk printed no result:\n${stdout}`);
  const result = JSON.parse(line) as LoadResult & { readonly requests: number; readonly errors: number };
  if (result.requests === 0 || result.errors > 0) {
    throw new Error(`${load.url}: ${result.errors} of ${result.requests} requests failed under load`);
  }
  return result;
}
