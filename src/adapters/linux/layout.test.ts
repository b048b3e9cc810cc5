import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openTemplates, skip, valueOf } from './templates.testing.ts';

test('what an instance adds to its heap lies together, and address space is left for everything else', { skip }, async (t) => {
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
      return [scattered() - before, kept.length, memories.length];
    };`);
  assert.deepEqual(await valueOf(template.fork()), [0, 20_000, 4]);
});
