import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../kernel/mod.ts';
import type { Clock } from '../../kernel/mod.ts';
import { END_LIMIT_MS } from './sandbox.ts';
import { invoke, openTemplates, skip, valueOf } from './templates.testing.ts';

const TOGETHER = 100;

test(`${TOGETHER} instances that end together are all told of, and leave no process`, { skip }, async (t) => {
  const template = await (
    await openTemplates(t)
  ).boot(`
    import { readdirSync } from 'node:fs';
    import { spawn } from 'node:child_process';
    export const handler = async ({ daemon }) => {
      if (daemon) spawn('/bin/sleep', ['1000'], { detached: true, stdio: 'ignore' }).unref();
      return readdirSync('/proc').filter((name) => Number(name) > 2 && Number(name) !== process.pid).length;
    };`);
  const stays = template.fork();
  const instances = Array.from({ length: TOGETHER }, () => template.fork());
  await Promise.all(instances.map((instance, i) => valueOf(instance, { daemon: i % 10 === 0 })));
  for (const instance of instances) instance.kill();
  assert.deepEqual(
    await Promise.all(instances.map(({ closed }) => closed)),
    instances.map(() => ({ kind: 'ended' })),
  );
  // Perhaps with one more: the instance that is made ahead.
  assert.ok(((await valueOf(stays, {})) as number) <= 1);
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
    export const handler = async ({ end, exit }) => {
      if (end) process.kill(process.ppid, 'SIGKILL');
      if (exit) process.exit(3);
      return process.pid;
    };`);
  const [one, two, three] = [template.fork(), template.fork(), template.fork()];
  for (const instance of [one, two, three]) await valueOf(instance, {});
  await valueOf(one, { end: true });
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
    import { execFileSync } from 'node:child_process';
    export const handler = async ({ processes }) => {
      if (processes) execFileSync('/usr/bin/prlimit', ['--pid', String(process.ppid), '--nproc=' + processes]);
      return process.pid;
    };`);
  const first = template.fork();
  await valueOf(first, { processes: '1:4096' });
  for (let i = 0; i < 3; i++) {
    const refused = template.fork();
    assert.deepEqual(await invoke(refused), { kind: 'died', exit: { kind: 'ended' } });
    assert.deepEqual(await refused.closed, { kind: 'ended' });
  }
  await valueOf(first, { processes: '4096:4096' });
  const second = template.fork();
  assert.notEqual(await valueOf(second), await valueOf(first));
});
