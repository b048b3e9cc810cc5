import assert from 'node:assert/strict';
import { readFileSync, readlinkSync } from 'node:fs';
import { test } from 'node:test';
import { systemClock } from '../../kernel/mod.ts';
import type { Clock } from '../../kernel/mod.ts';
import type { Instance } from '../../ports/mod.ts';
import { childrenOf } from './peak-memory.ts';
import { END_LIMIT_MS } from './sandbox.ts';
import { invoke, openTemplates, parentsOf, processesBeside, skip, templatePidOf, valueOf } from './templates.testing.ts';

const TOGETHER = 100;
const TEMPLATE = 2;

test(`${TOGETHER} instances that end together are all told of, and leave no process`, { skip }, async (t) => {
  const template = await (
    await openTemplates(t)
  ).boot(`
    import { spawn } from 'node:child_process';
    export const handler = async ({ daemon }) => {
      if (daemon) spawn('/bin/sleep', ['1000'], { detached: true, stdio: 'ignore' }).unref();
      return process.pid;
    };`);
  const stays = template.fork();
  const instances = Array.from({ length: TOGETHER }, () => template.fork());
  await Promise.all(instances.map((instance, i) => valueOf(instance, { daemon: i % 10 === 0 })));
  for (const instance of instances) instance.kill();
  assert.deepEqual(
    await Promise.all(instances.map(({ closed }) => closed)),
    instances.map(() => ({ kind: 'ended' })),
  );
  const pid = (await valueOf(stays, {})) as number;
  const beside = () => processesBeside(pid).filter((other) => ![TEMPLATE, pid].includes(other)).length;
  // Perhaps with one more: the instance that is made ahead. What was killed takes a moment to leave the list.
  for (let rounds = 0; beside() > 1; rounds++) {
    assert.ok(rounds < 6_000, `${beside()} processes`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
});

test('an instance that has ended leaves no limit behind', { skip }, async (t) => {
  const waiting = new Set<number>();
  const begun = new Set<number>();
  const clock: Clock = {
    ...systemClock,
    after(delayMs, run) {
      const timer = systemClock.after(delayMs, () => {
        waiting.delete(delayMs);
        run();
      });
      waiting.add(delayMs);
      begun.add(delayMs);
      return {
        cancel() {
          waiting.delete(delayMs);
          timer.cancel();
        },
      };
    },
  };
  const template = await (await openTemplates(t, clock)).boot(`export const handler = async () => process.exit(3);`);
  const instance = template.fork();
  assert.deepEqual(await invoke(instance), { kind: 'died', exit: { kind: 'exited', code: 3 } });
  await instance.closed;
  assert.deepEqual([begun.has(END_LIMIT_MS), waiting.has(END_LIMIT_MS)], [true, false]);
});

test('instances go on without their template, and end like others', { skip }, async (t) => {
  const template = await (
    await openTemplates(t)
  ).boot(`
    export const handler = async ({ exit }) => {
      if (exit) process.exit(3);
      return process.pid;
    };`);
  const [one, two, three] = [template.fork(), template.fork(), template.fork()];
  for (const instance of [two, three]) await valueOf(instance, {});
  process.kill(templatePidOf((await valueOf(one, {})) as number), 'SIGKILL');
  assert.deepEqual(await template.closed, { kind: 'signalled', signal: 'SIGKILL' });
  const late = template.fork();
  assert.deepEqual(await invoke(two, { exit: true }), { kind: 'died', exit: { kind: 'exited', code: 3 } });
  one.kill();
  assert.deepEqual(await one.closed, { kind: 'ended' });
  assert.deepEqual(await late.closed, { kind: 'ended' });
  assert.equal(typeof (await valueOf(three, {})), 'number');
});

test('how an instance has ended is told also where its template and it are gone before its keeper has heard of it', { skip }, async (t) => {
  const template = await (await openTemplates(t)).boot(`export const handler = async () => process.pid;`);
  const first = template.fork();
  const pids = parentsOf((await valueOf(first)) as number);
  const mounts = (pid: number) => readlinkSync(`/proc/${pid}/ns/mnt`);
  const others = () => childrenOf(pids.template).filter((pid) => pid !== pids.instance);
  // The keeper has made what the next instance gets, and passes on the order for that before it makes that of the one after it.
  await until(() => mounts(pids.keeper) !== mounts(pids.instance));
  const before = mounts(pids.keeper);
  process.kill(pids.template, 'SIGSTOP');
  const late = template.fork();
  await until(() => mounts(pids.keeper) !== before);
  process.kill(pids.keeper, 'SIGSTOP');
  process.kill(pids.template, 'SIGCONT');
  // It has said hello when it is in its place.
  await until(() => others().some((pid) => mounts(pid) === before));
  const ending = [...others(), pids.template];
  for (const pid of ending) process.kill(pid, 'SIGKILL');
  await until(() => ending.every(isZombie));
  process.kill(pids.keeper, 'SIGCONT');
  assert.deepEqual(await late.closed, { kind: 'signalled', signal: 'SIGKILL' });
  assert.equal(await valueOf(first), await valueOf(first));
});

test('how a template that serves by itself has ended is heard before its sandbox goes', { skip }, async (t) => {
  const template = await (
    await openTemplates(t)
  ).boot(`
    import { spawn } from 'node:child_process';
    setInterval(() => {}, 1_000);
    export const handler = ({ waits }) => (waits ? new Promise(() => {}) : spawn('/bin/sleep', ['1000'], { stdio: 'ignore' }).pid);`);
  assert.equal(template.forks, false);
  const instance = template.fork();
  const { template: pid, keeper } = parentsOf((await valueOf(instance, {})) as number);
  const end = invoke(instance, { waits: true });
  // The connection is closed long before the keeper can say why.
  process.kill(keeper, 'SIGSTOP');
  process.kill(pid, 'SIGSEGV');
  while (instance.alive) await new Promise((resolve) => setTimeout(resolve, 5));
  process.kill(keeper, 'SIGCONT');
  assert.deepEqual(await end, { kind: 'died', exit: { kind: 'signalled', signal: 'SIGSEGV' } });
  assert.deepEqual(await instance.closed, { kind: 'signalled', signal: 'SIGSEGV' });
});

test('an init that has closed what it did not open has its time all the same, and no more', { skip }, async (t) => {
  const { boot } = await openTemplates(t);
  const code = `
    import { closeSync } from 'node:fs';
    for (let fd = 3; fd < 64; fd++) try { closeSync(fd); } catch {}
    for (;;);`;
  await assert.rejects(boot(code, { initTimeoutMs: 1_000 }), /"kind":"timedOut"/);
});

test('when the kernel has no room for another process the instance ends, and the template forks the next one', { skip }, async (t) => {
  // Of its user: the keeper, the template, and so many instances.
  const most = 4;
  const template = await (
    await openTemplates(t)
  ).boot(`
    import { dlopen } from 'node:ffi';
    const RLIMIT_NPROC = 6;
    const { setrlimit } = dlopen('libc.so.6', { setrlimit: { return: 'i32', arguments: ['i32', 'pointer'] } }).functions;
    if (setrlimit(RLIMIT_NPROC, Buffer.from(new BigUint64Array([${most + 2}n, 4096n]).buffer)) !== 0) throw new Error('no limit');
    export const handler = async () => process.pid;`);
  const instances: Instance[] = [];
  for (let refused: Instance | undefined; refused === undefined;) {
    const instance = template.fork();
    const end = await invoke(instance);
    if (end.kind === 'answered') instances.push(instance);
    else {
      refused = instance;
      assert.deepEqual([end, await refused.closed], [{ kind: 'died', exit: { kind: 'ended' } }, { kind: 'ended' }]);
    }
    assert.ok(instances.length <= most);
  }
  for (const instance of instances.splice(1)) {
    instance.kill();
    await instance.closed;
  }
  assert.notEqual(await valueOf(template.fork()), await valueOf(instances[0]!));
});

const isZombie = (pid: number): boolean => /\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
}
