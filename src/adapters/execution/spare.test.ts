import assert from 'node:assert/strict';
import { test } from 'node:test';
import { manualClock } from '../../kernel/mod.ts';
import { KEPT_MS, QUIET_MS, Spare } from './spare.ts';

class Fake {
  alive = true;
  kill(): void {
    this.alive = false;
  }
}

function setUp() {
  const clock = manualClock();
  const made: Fake[] = [];
  let refused = false;
  const make = () => {
    if (refused) throw new Error('no descriptors');
    made.push(new Fake());
    return made.at(-1)!;
  };
  const unused: Fake[] = [];
  const spare = new Spare({ clock, make, unused: (instance) => void unused.push(instance) });
  return { clock, made, unused, refuse: (refuse: boolean) => void (refused = refuse), spare };
}

test('a function that one instance is enough for gets no spare one', () => {
  const { clock, made, spare } = setUp();
  assert.equal(spare.take(), made[0]);
  clock.advance(QUIET_MS);
  assert.equal(spare.made, false);
  assert.equal(made.length, 1);
});

test('one that could not be made ahead is made when it is asked for', () => {
  const { clock, made, refuse, spare } = setUp();
  for (let i = 0; i < 2; i++) spare.take();
  refuse(true);
  clock.advance(QUIET_MS);
  assert.equal(spare.made, false);
  assert.throws(() => spare.take(), /no descriptors/);
  refuse(false);
  assert.equal(spare.take(), made[2]);
});

test('one made ahead is for the first who asks, and ends when nobody does', () => {
  const { clock, made, spare } = setUp();
  spare.ahead();
  spare.ahead();
  assert.equal(spare.take(), made[0]);
  assert.equal(made.length, 1);
  const unused = setUp();
  unused.spare.ahead();
  unused.clock.advance(KEPT_MS);
  assert.deepEqual([unused.made[0]!.alive, unused.spare.made], [false, false]);
  assert.deepEqual(unused.unused, [unused.made[0]]);
  assert.equal(unused.spare.take(), unused.made[1]);
  spare.stop();
  spare.ahead();
  assert.equal(made.length, 1);
  clock.advance(KEPT_MS);
});

test('from the second instance on there is one spare, made when nobody asks', () => {
  const { clock, made, spare } = setUp();
  for (let taken = 0; taken < 5; taken++) {
    spare.take();
    clock.advance(QUIET_MS - 1);
  }
  assert.equal(made.length, 5);
  clock.advance(1);
  assert.deepEqual([made.length, spare.made], [6, true]);
  clock.advance(QUIET_MS * 10);
  assert.equal(made.length, 6);
  assert.equal(spare.take(), made[5]);
  assert.deepEqual([made.length, spare.made], [6, false]);
  clock.advance(QUIET_MS);
  assert.equal(spare.take(), made[6]);
});

test('a spare instance that has ended is given to nobody', () => {
  const { clock, made, spare } = setUp();
  for (let taken = 0; taken < 2; taken++) spare.take();
  clock.advance(QUIET_MS);
  made[2]!.alive = false;
  assert.equal(spare.take(), made[3]);
  clock.advance(QUIET_MS);
  for (const other of [made[3], undefined]) spare.lost(other);
  assert.equal(spare.made, true);
  spare.lost(made[4]);
  assert.equal(spare.made, false);
  assert.equal(spare.take(), made[5]);
});

test('a spare instance ends when nobody asks for it, and when no more are asked for', () => {
  const { clock, made, spare } = setUp();
  for (let taken = 0; taken < 2; taken++) spare.take();
  clock.advance(QUIET_MS + KEPT_MS);
  assert.deepEqual([made[2]!.alive, spare.made], [false, false]);
  spare.take();
  clock.advance(QUIET_MS);
  spare.stop();
  assert.deepEqual([made[4]!.alive, spare.made], [false, false]);
  spare.take();
  clock.advance(QUIET_MS);
  assert.equal(made.length, 6);
});
