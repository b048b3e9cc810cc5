import assert from 'node:assert/strict';
import { writeSync } from 'node:fs';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { closeAfter } from '../../../test/closing.ts';
import { manualClock } from '../../kernel/mod.ts';
import { skip } from './templates.testing.ts';

/** A pipe holds as much, after which its reader rests. */
const BURST_BYTES = 64 * 1024;

async function open(t: TestContext) {
  const { libc } = await import('../../../runtimes/ladder/libc.ts');
  const { pipe } = await import('../../../runtimes/ladder/messages.ts');
  const { Output } = await import('./output.ts');
  const [reading, writing] = pipe();
  const clock = manualClock();
  let heard = '';
  const output = new Output(reading, clock, (chunk) => void (heard += chunk.toString('latin1')));
  closeAfter(t, () => {
    output.close();
    libc.close(writing);
  });
  const write = (text: string) => void writeSync(writing, text);
  return { output, write, heard: () => heard };
}

test('what was written before the end is heard, read by then or not', { skip }, async (t) => {
  const { output, write, heard } = await open(t);
  write('last words');
  output.close();
  assert.deepEqual([heard(), output.lastWords], ['last words', 'last words']);
});

test('a flush takes what came while the reader rests in its order', { skip }, async (t) => {
  const { output, write, heard } = await open(t);
  const flood = 'x'.repeat(BURST_BYTES);
  write(flood);
  while (heard().length < flood.length) await new Promise(setImmediate);
  // It rests, and yet something is read before it stops.
  write('first ');
  for (let turns = 0; turns < 10; turns++) await new Promise(setImmediate);
  assert.equal(heard(), flood);
  write('second');
  output.flush();
  assert.equal(heard().slice(flood.length), 'first second');
});
