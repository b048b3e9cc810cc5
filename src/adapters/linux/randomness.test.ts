import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openTemplates, skip, valueOf } from './templates.testing.ts';

test('what two functions draw differs, in init and after it', { skip }, async (t) => {
  const templates = await openTemplates(t);
  const code = `
    import { randomBytes, randomInt, randomUUID } from 'node:crypto';
    const draw = () => [randomUUID(), randomBytes(16).toString('hex'), randomInt(2 ** 40), Math.random()];
    const initial = process.env.DRAWS ? draw() : [];
    export const handler = async () => [...initial, ...draw()];`;
  for (const environment of [{}, { DRAWS: '1' }]) {
    const drawn: unknown[] = [];
    for (let i = 0; i < 2; i++) {
      const template = await templates.boot(code, { environment });
      drawn.push(...((await valueOf(template.fork())) as unknown[]));
    }
    assert.equal(new Set(drawn).size, drawn.length);
  }
});
