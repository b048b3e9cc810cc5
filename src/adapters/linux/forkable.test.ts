import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openTemplates, skip, valueOf } from './templates.testing.ts';

test('no function has memory or a descriptor of an io_uring, and all of its heap is in every fork', { skip }, async (t) => {
  const { boot } = await openTemplates(t);
  const template = await boot(`
    import fs from 'node:fs';
    const kept = Array.from({ length: 100_000 }, (_, i) => ({ i, text: 'number ' + i }));
    const targets = () => fs.readdirSync('/proc/self/fd').map((fd) => { try { return fs.readlinkSync('/proc/self/fd/' + fd); } catch { return ''; } });
    const rings = () => [...fs.readFileSync('/proc/self/maps', 'latin1').split('\\n'), ...targets()].filter((line) => line.includes('io_uring'));
    const atInit = rings();
    export const handler = async () => ({ atInit, rings: rings(), whole: kept.every(({ i, text }) => text === 'number ' + i) });`);
  for (let i = 0; i < 2; i++) assert.deepEqual(await valueOf(template.fork()), { atInit: [], rings: [], whole: true });
  template.close();
});
