import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { closeAfter, killAfter } from '../../../test/closing.ts';
import { temporaryDirectory } from '../../../test/temporary.ts';
import { RECORD } from '../../../runtimes/ladder/orders.ts';
import { libc } from '../../../runtimes/ladder/libc.ts';
import { receiveRecord, sendMessage, socketPair } from '../../../runtimes/ladder/messages.ts';
import { node } from '../../../runtimes/node/description.ts';
import { materialiseRuntime } from '../link/mod.ts';
import { skip } from './templates.testing.ts';

/** A host that starts a zygote whose orders come from the test, says the zygote's pid, and stays. */
const HOST = `
  const { spawn } = require('node:child_process');
  const [program, host] = process.argv.slice(1);
  const { file, arguments, environment: env } = JSON.parse(program);
  const zygote = spawn(file, [...arguments, host ?? process.pid], { env, stdio: ['ignore', 'ignore', 'inherit', 3] });
  console.log(zygote.pid);
  setInterval(() => {}, 1000);
`;

async function startZygote(t: TestContext, ...more: string[]) {
  const directory = temporaryDirectory(t);
  const { library: _, ...program } = node.zygote(await materialiseRuntime({ runtime: node, directory }), node.memoryClassesMiB[0]);
  const [near, far] = socketPair();
  closeAfter(t, () => libc.close(near));
  const host = spawn(process.execPath, ['-e', HOST, JSON.stringify(program), ...more], { stdio: ['ignore', 'pipe', 'inherit', far] });
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

const PIDS = '/sys/fs/cgroup/pids';
const noLimit =
  skip ||
  (existsSync(join(PIDS, 'cgroup.procs')) && process.getuid!() === 0 ? false : 'a limit of processes needs control groups, and root');

test('a zygote outlives a fork for which there is no room, and forks again when there is', { skip: noLimit }, async (t) => {
  const { near, zygote } = await startZygote(t);
  assert.equal(receiveRecord(near)?.kind, RECORD.ready);
  const root = temporaryDirectory(t);
  const group = join(PIDS, `hearth-test-${process.pid}`);
  mkdirSync(group);
  closeAfter(t, async () => {
    if (isAlive(zygote)) process.kill(zygote, 'SIGKILL');
    // As long as somebody is in it, it is busy.
    while (readFileSync(join(group, 'cgroup.procs'), 'latin1') !== '') await new Promise((resolve) => setTimeout(resolve, 20));
    rmdirSync(group);
  });
  writeFileSync(join(group, 'cgroup.procs'), `${zygote}`);
  /** What is heard of a sandbox that is ordered; undefined: it is gone. */
  const order = () => {
    const [control, theirs] = socketPair();
    const uid = 1_000_000_000;
    sendMessage(near, { root, packages: root, uid, network: 'host' }, [theirs, 2]);
    libc.close(theirs);
    const heard = receiveRecord(control)?.kind;
    libc.close(control);
    return heard;
  };
  writeFileSync(join(group, 'pids.max'), readFileSync(join(group, 'pids.current')));
  assert.equal(order(), undefined);
  assert.equal(isAlive(zygote), true);
  writeFileSync(join(group, 'pids.max'), 'max');
  assert.equal(order(), RECORD.born);
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
