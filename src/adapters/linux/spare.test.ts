import assert from 'node:assert/strict';
import { test } from 'node:test';
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
