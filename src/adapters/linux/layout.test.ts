import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openTemplates, skip, valueOf } from './templates.testing.ts';

test('the heap of an instance lies together, also what it adds, and address space is left for everything else', { skip }, async (t) => {
  const template = await (
    await openTemplates(t)
  ).boot(`
    import { readFileSync } from 'node:fs';
    const scattered = () =>
      readFileSync('/proc/self/maps', 'latin1').split('\\n').filter((line) => {
        const [range, permissions] = line.split(' ');
        const at = parseInt(range, 16);
        return permissions?.startsWith('rw') && at >= 2 ** 32 && at < 2 ** 46;
      }).length;
    export const handler = async () => {
      const before = scattered();
      const kept = Array.from({ length: 20_000 }, (_, i) => Array.from({ length: 100 }, () => i));
      const memories = Array.from({ length: 4 }, () => new WebAssembly.Memory({ initial: 1, maximum: 65_536 }));
      return [before, scattered() - before, kept.length, memories.length];
    };`);
  assert.deepEqual(await valueOf(template.fork()), [0, 0, 20_000, 4]);
});

test('an instance is spared the page tables of a scattered heap, and those of machine code', { skip }, async (t) => {
  const template = await (
    await openTemplates(t)
  ).boot(`
    import { readFileSync } from 'node:fs';
    export const handler = async () => Number(/^VmPTE:\\s+(\\d+) kB/m.exec(readFileSync('/proc/self/status', 'latin1'))[1]);`);
  const tablesKiB = (await valueOf(template.fork())) as number;
  assert.ok(tablesKiB > 0 && tablesKiB < MOST_TABLES_KIB, `page tables of ${tablesKiB} KiB`);
});

/** Scattered, V8's first pages alone had 200. */
const MOST_TABLES_KIB = 256;

test('an instance has few mappings of what V8 has made read-only, which forks would copy one by one', { skip }, async (t) => {
  const template = await (
    await openTemplates(t)
  ).boot(`
    import { readFileSync } from 'node:fs';
    export const handler = async () => readFileSync('/proc/self/maps', 'latin1');`);
  const maps = (await valueOf(template.fork())) as string;
  const nameless = maps.split('\n').filter((line) => / r--p 00000000 00:00 0 *$/.test(line));
  assert.ok(nameless.length > 0 && nameless.length <= MOST_READ_ONLY, maps);
});

/** V8's own were 15. */
const MOST_READ_ONLY = 4;
