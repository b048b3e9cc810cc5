/** A real platform, started by the real command on a free port and a data directory of its own; and the command itself. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import type { TestContext } from 'node:test';
import { closeAfter } from '../closing.ts';
import { temporaryDirectory } from '../temporary.ts';
import { launchAs } from './users.ts';
import type { User } from './users.ts';

export const ROOT = join(import.meta.dirname, '../..');
const BIN = join(ROOT, 'bin/hearth.mjs');

export type Ran = { readonly code: number | null; readonly stdout: string; readonly stderr: string };
export type Platform = {
  readonly url: string;
  readonly data: string;
  /** Runs `hearth ARGS` against this platform. */
  hearth(args: readonly string[], options?: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>> }): Promise<Ran>;
  /** As `hearth`, with --json: fails unless it succeeds, and gives what it printed. */
  json<T>(args: readonly string[], options?: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>> }): Promise<T>;
  /** The process of `hearth up`. */
  readonly process: ChildProcess;
  /** Ends it by the signal; resolves with its exit code or signal. */
  stop(signal?: NodeJS.Signals): Promise<number | NodeJS.Signals | null>;
};

/** `user`: whom it runs as, if not as the tests themselves. */
export async function startPlatform(t: TestContext, args: readonly string[] = [], data?: string, user?: User): Promise<Platform> {
  const directory = data ?? temporaryDirectory(t);
  const all = [BIN, 'up', '--port', '0', '--data', directory, '--json', ...args];
  const own = { command: process.execPath, args: all, home: process.env['HOME'] };
  const launch = user ? await launchAs(t, user, { tree: ROOT, command: process.execPath, args: all, directory }) : own;
  const child = spawn(launch.command, launch.args, {
    env: environment(launch.home === undefined ? {} : { HOME: launch.home }),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
  const stop = async (signal: NodeJS.Signals = 'SIGTERM') => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    const [code, by] = await ended;
    return code ?? by;
  };
  closeAfter(t, () => stop('SIGKILL'));
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString('utf8')));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const first = await Promise.race([lines.next(), ended.then(() => undefined)]);
  assert.ok(first && !first.done, `hearth up ended before it was ready:\n${errors}`);
  const { ready, url } = JSON.parse(first.value) as { ready: boolean; url: string };
  assert.equal(ready, true);
  const hearth: Platform['hearth'] = (more, options) => runHearth([...more, '--endpoint', url], options);
  return {
    url,
    data: directory,
    process: child,
    stop,
    hearth,
    async json<T>(more: readonly string[], options = {}) {
      const ran = await hearth([...more, '--json'], options);
      assert.equal(ran.code, 0, `hearth ${more.join(' ')} failed:\n${ran.stderr}${ran.stdout}`);
      return JSON.parse(ran.stdout) as T;
    },
  };
}

export async function runHearth(
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<Ran> {
  const child = spawn(process.execPath, [BIN, ...args], {
    cwd: options.cwd ?? ROOT,
    env: environment(options.env ?? {}),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const closed = once(child, 'close') as Promise<[number | null]>;
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const [code] = await closed;
  return { code, stdout, stderr };
}

/** A function URL in the form that needs no name resolution. */
export function pathForm(platform: Platform, functionUrl: string): string {
  return `${platform.url}/_url/${new URL(functionUrl).hostname.split('.')[0]}`;
}

function environment(more: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  const {
    AWS_ACCESS_KEY_ID: _,
    AWS_SECRET_ACCESS_KEY: __,
    AWS_REGION: ___,
    HEARTH_ENDPOINT: ____,
    HEARTH_DATA: _____,
    ...rest
  } = process.env;
  return { ...rest, ...more };
}
