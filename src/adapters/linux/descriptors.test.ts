import assert from 'node:assert/strict';
import { closeSync, openSync, readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { libc, pinned } from '../../../runtimes/ladder/libc.ts';
import { openTemplates, skip, valueOf } from './templates.testing.ts';

const ENDS = 4;

test('a fork for which there are not enough descriptors is refused, and leaves none open', { skip }, async (t) => {
  const template = await (await openTemplates(t)).boot(`export const handler = async () => 'here';`);
  const first = template.fork();
  assert.equal(await valueOf(first), 'here');
  const before = readdirSync('/proc/self/fd').length;
  for (let room = 0; room < ENDS; room++) {
    withRoomFor(room, () => assert.throws(() => template.fork(), /errno 24/));
    assert.equal(readdirSync('/proc/self/fd').length, before, `with room for ${room}`);
  }
  assert.equal(await valueOf(template.fork()), 'here');
});

/** Runs `act` while so many descriptors can still be opened. */
function withRoomFor(room: number, act: () => void): void {
  const RLIMIT_NOFILE = 7;
  const [soft, hard] = /^Max open files\s+(\d+)\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))!.slice(1).map(BigInt);
  const pair = pinned(16);
  const limit = (most: bigint) => {
    pair.buffer.writeBigUInt64LE(most, 0);
    pair.buffer.writeBigUInt64LE(hard!, 8);
    assert.equal(libc.setrlimit(RLIMIT_NOFILE, pair.address), 0);
  };
  const highest = Math.max(...readdirSync('/proc/self/fd').map(Number));
  const taken: number[] = [];
  limit(BigInt(highest + ENDS));
  try {
    for (;;) taken.push(openSync('/dev/null', 'r'));
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, 'EMFILE');
  }
  try {
    for (const fd of taken.splice(0, room)) closeSync(fd);
    act();
  } finally {
    for (const fd of taken) closeSync(fd);
    limit(soft!);
  }
}
