import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { closeAfter, killAfter } from '../../../test/closing.ts';
import { temporaryDirectory } from '../../../test/temporary.ts';
import { RECORD } from '../../../runtimes/ladder/orders.ts';
import { libc } from '../../../runtimes/ladder/libc.ts';
import { receiveRecord, socketPair } from '../../../runtimes/ladder/messages.ts';
import { node } from '../../../runtimes/node/description.ts';
import { materialiseRuntime } from '../link/mod.ts';
import { skip } from './templates.testing.ts';

/** A host that starts a zygote whose orders come from the test, says the zygote's pid, and stays. */
const HOST = `
  const { spawn } = require('node:child_process');
  const [start, host] = process.argv.slice(1);
  const zygote = spawn(process.execPath, ['--single-threaded', '--expose-gc', '--no-warnings', start, host ?? process.pid], { stdio: ['ignore', 'ignore', 'inherit', 3] });
  console.log(zygote.pid);
  setInterval(() => {}, 1000);
`;

async function startZygote(t: TestContext, ...more: string[]) {
  const directory = temporaryDirectory(t);
  const runtime = await materialiseRuntime({ runtime: node, directory });
  const [near, far] = socketPair();
  closeAfter(t, () => libc.close(near));
  const host = spawn(process.execPath, ['-e', HOST, join(runtime, 'start.mjs'), ...more], { stdio: ['ignore', 'pipe', 'inherit', far] });
  libc.close(far);
  killAfter(t, host);
  const [line] = (await once(host.stdout!, 'data')) as [Buffer];
  return { near, host, zygote: Number(line.toString()) };
}

test('a zygote ends with its host, even when its orders could still come', { skip }, async (t) => {
  const { near, host, zygote } = await startZygote(t);
  assert.equal(receiveRecord(near)?.kind, RECORD.ready);
  assert.equal(isAlive(zygote), true);
  host.kill('SIGKILL');
  await gone(zygote);
});

test('a zygote whose host has ended before it could ask for that ends at once', { skip }, async (t) => {
  const someoneElse = '1';
  const { zygote } = await startZygote(t, someoneElse);
  await gone(zygote);
});

/** A zombie is nothing but its status. */
function isAlive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) [ZX]/s.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch (error) {
    // It has ended.
    assert.ok(['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? ''));
    return false;
  }
}

async function gone(pid: number): Promise<void> {
  while (isAlive(pid)) await new Promise((resolve) => setTimeout(resolve, 20));
}
