import assert from 'node:assert/strict';
import { test } from 'node:test';
import { manualClock } from '../../kernel/mod.ts';
import { Blanks, REST_MS, ROW_MS } from './blanks.ts';

function setUp() {
  const clock = manualClock();
  const made: { closed: boolean }[] = [];
  let refused = false;
  const make = () => {
    if (refused) throw new Error('no descriptors');
    made.push({ closed: false });
    return made.at(-1)!;
  };
  return { clock, made, refuse: (refuse: boolean) => void (refused = refuse), blanks: new Blanks({ clock, make }) };
}

test('one is there ahead, and the next when the function that took it had time to start', () => {
  const { clock, made, blanks } = setUp();
  blanks.prepare();
  blanks.prepare();
  assert.equal(made.length, 1);
  assert.equal(blanks.take(), made[0]);
  clock.advance(REST_MS - 1);
  assert.equal(made.length, 1);
  clock.advance(1);
  assert.equal(made.length, 2);
  clock.advance(ROW_MS);
  assert.equal(blanks.take(), made[1]);
  clock.advance(REST_MS);
  assert.equal(made.length, 3);
});

test('where functions start in a row there are two, and as many as are asked for', () => {
  const { clock, made, blanks } = setUp();
  blanks.prepare();
  for (let i = 0; i < 3; i++) assert.equal(blanks.take(), made[i]);
  clock.advance(REST_MS);
  assert.equal(made.length, 5);
  clock.advance(ROW_MS);
  assert.equal(blanks.take(), made[3]);
  clock.advance(REST_MS);
  assert.equal(made.length, 5);
});

test('one that has ended is given to nobody, and none is made any more once they are closed', () => {
  const { clock, made, blanks } = setUp();
  blanks.prepare();
  made[0]!.closed = true;
  assert.equal(blanks.take(), made[1]);
  blanks.close();
  clock.advance(REST_MS);
  assert.equal(made.length, 2);
});

test('one that could not be made ahead is made when it is asked for', () => {
  const { clock, made, refuse, blanks } = setUp();
  blanks.prepare();
  blanks.take();
  refuse(true);
  clock.advance(REST_MS);
  assert.throws(() => blanks.take(), /no descriptors/);
  refuse(false);
  clock.advance(REST_MS);
  assert.ok(made.includes(blanks.take()));
});
