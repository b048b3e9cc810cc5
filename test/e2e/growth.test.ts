/** A template forks thousands of instances, and neither it, nor its keeper, nor what they came from grows by that. `npm run soak` does it longer. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openTemplates, skip, valueOf } from '../../src/adapters/linux/templates.testing.ts';
import type { Template } from '../../src/ports/mod.ts';
import { collectGarbage, familyOf, readHolding } from '../../tools/soak-holdings.ts';
import { eventually } from './platform.ts';

const WARM_UP = 400;
const FORKS = 2_000;
const AT_ONCE = 4;
/** Of memory: a leak of a KiB for each fork would be 2. */
const MOST_MIB = 1.5;

test(`${FORKS} instances come and go, and leave nothing in keeper, template, zygote and host`, { skip, timeout: 300_000 }, async (t) => {
  const template = await (await openTemplates(t)).boot(`export const handler = async ({ name }) => 'Hello ' + name;`);
  const first = template.fork();
  assert.equal(await valueOf(first, { name: 'Ada' }), 'Hello Ada');
  const { instance: _, ...family } = familyOf(process.pid);
  await live(template, WARM_UP);
  const before = readHolding(family);
  await live(template, FORKS);
  collectGarbage();
  const after = readHolding(family);
  for (const name of ["keeper's memory, MiB", "template's memory, MiB", "zygote's memory, MiB", "host's heap, MiB"]) {
    assert.ok(after[name]! - before[name]! < MOST_MIB, `${name}: ${before[name]!.toFixed(2)}, then ${after[name]!.toFixed(2)}`);
  }
  const counted = ["keeper's descriptors", "template's descriptors", "zygote's descriptors", "keeper's mounts", "host's mounts"];
  // Who has ended a moment ago may still be listed, and other tests mount something for a moment.
  await eventually(() => {
    const now = readHolding(family);
    const more = counted.filter((name) => now[name]! > before[name]!);
    assert.deepEqual(more, [], more.map((name) => `${name}: ${before[name]}, then ${now[name]}`).join());
    assert.equal(now['zombies'], 0);
    assert.ok(now['processes']! <= before['processes']! + 1, 'a spare instance may be there or not');
  });
});

async function live(template: Template, count: number): Promise<void> {
  let left = count;
  const lives = async () => {
    while (left-- > 0) {
      const instance = template.fork();
      assert.equal(await valueOf(instance, { name: 'Bob' }), 'Hello Bob');
      instance.kill();
      await instance.closed;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lives));
}
