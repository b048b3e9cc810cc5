import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../kernel/mod.ts';
import type { Clock } from '../../kernel/mod.ts';
import type { Instance } from '../../ports/mod.ts';
import { END_LIMIT_MS } from './sandbox.ts';
import { invoke, openTemplates, processesBeside, skip, templatePidOf, valueOf } from './templates.testing.ts';

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
  // Perhaps with one more: the instance that is made ahead.
  assert.ok(processesBeside(pid).filter((other) => ![TEMPLATE, pid].includes(other)).length <= 1);
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

test('when the kernel has no room for another process the instance ends, and the template forks the next one', { skip }, async (t) => {
  const template = await (
    await openTemplates(t)
  ).boot(`
    import ffi from 'node:ffi';
    const { functions } = ffi.dlopen('libc.so.6', { setrlimit: { return: 'i32', arguments: ['i32', 'pointer'] } });
    const [RLIMIT_NPROC, processes] = [6, 6n];
    functions.setrlimit(RLIMIT_NPROC, new BigUint64Array([processes, 4096n]));
    export const handler = async () => process.pid;`);
  const instances: Instance[] = [];
  const forkNext = async () => {
    instances.push(template.fork());
    return await invoke(instances.at(-1)!);
  };
  let end = await forkNext();
  assert.equal(end.kind, 'answered');
  while (end.kind === 'answered' && instances.length < 10) end = await forkNext();
  assert.deepEqual(end, { kind: 'died', exit: { kind: 'ended' } });
  assert.deepEqual(await instances.at(-1)!.closed, { kind: 'ended' });
  assert.deepEqual(await forkNext(), { kind: 'died', exit: { kind: 'ended' } });
  const pids = await Promise.all(instances.slice(0, -2).map((instance) => valueOf(instance)));
  for (const instance of instances) instance.kill();
  await Promise.all(instances.map((instance) => instance.closed));
  const next = await forkNext();
  assert.equal(next.kind, 'answered');
  assert.ok(!pids.includes(next.value));
});
