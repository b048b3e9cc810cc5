import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Instance } from '../../ports/mod.ts';
import { openTemplates, processesBeside, skip, valueOf } from './templates.testing.ts';

test('an instance forked ahead is like one forked when it is asked for', { skip }, async (t) => {
  const templates = await openTemplates(t);
  const template = await templates.boot(`
    import { readdirSync, writeFileSync } from 'node:fs';
    import { randomUUID } from 'node:crypto';
    let served = 0;
    export const handler = async () => {
      const before = readdirSync('/tmp');
      writeFileSync('/tmp/mine', '');
      return { pid: process.pid, served: ++served, before, random: Math.random(), uuid: randomUUID() };
    };`);
  type Seen = { pid: number; served: number; before: string[]; random: number; uuid: string };
  const instances = [template.fork(), template.fork()];
  const see = async (i: number) => (await valueOf(instances[i]!, {})) as Seen;
  const seen = [await see(0), await see(1)];
  const TEMPLATE = 2;
  const made = () => processesBeside(seen[0]!.pid).filter((pid) => pid !== TEMPLATE);
  while (made().length < 3) await see(0);
  const processes = made();
  instances.push(template.fork());
  const further = await see(2);
  assert.ok(processes.includes(further.pid));
  assert.deepEqual([further.served, further.before], [1, []]);
  for (const field of ['pid', 'random', 'uuid'] as const) assert.equal(new Set([...seen, further].map((one) => one[field])).size, 3, field);
  for (const instance of instances) instance.kill();
  assert.deepEqual(
    await Promise.all(instances.map(({ closed }) => closed)),
    instances.map(() => ({ kind: 'ended' })),
  );
  template.close();
  await template.closed;
});

test('what an instance does while it waits for its first invocation is seen by nobody', { skip }, async (t) => {
  const templates = await openTemplates(t);
  const template = await templates.boot(`
    import { readdirSync } from 'node:fs';
    const own = readdirSync('/proc/self/fd').length;
    export const handler = async () => {
      console.log('said here');
      return { trace: process.env._X_AMZN_TRACE_ID ?? 'none', more: readdirSync('/proc/self/fd').length - own };
    };`);
  const first = await withLogs(template.fork());
  // One was made ahead when the function had booted; this one waits for nobody else.
  const further = await withLogs(template.fork());
  assert.deepEqual(further, first);
  assert.equal(first.logs.length, 1);
  assert.match(first.logs[0]!, /^8a2b1c3d-\S+\tINFO\tsaid here$/);
  assert.equal((first.value as { trace: string }).trace, 'none');
});

/** After it has had the time to do what it does. */
async function withLogs(instance: Instance): Promise<{ readonly value: unknown; readonly logs: readonly string[] }> {
  await sleep(300);
  const logs: string[] = [];
  const value = await new Promise<unknown>((resolve, reject) => {
    const head = { id: '8a2b1c3d-0000-4000-8000-000000000000', deadlineMs: Date.now() + 60_000, arn: 'arn' };
    instance.invoke(head, Buffer.from('{}'), {
      log: (text) => void logs.push(text.replace(/^\S+Z\t/, '')),
      streamHead() {},
      streamChunk() {},
      end: (heard) => (heard.kind === 'answered' ? resolve(JSON.parse(heard.payload.toString())) : reject(new Error(heard.kind))),
    });
  });
  return { value, logs };
}
