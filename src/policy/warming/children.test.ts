import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Children, EXPECTED_MS } from './children.ts';

const HOUR = 3_600_000;
/** A parent that was started so often, with `child` following each time. */
function followed(times: number, child = 'child'): Children {
  const children = new Children();
  for (let i = 0; i < times; i++) {
    children.started(i * HOUR);
    children.followed(child, i * HOUR + 1_000, false);
  }
  return children;
}

test('a child is expected when it has followed a few times, and the surer the more often', () => {
  assert.deepEqual(followed(2).expected(), []);
  const chance = (times: number) => followed(times).expected()[0]!.chance;
  assert.ok(chance(4) > 0.7 && chance(40) > chance(4) && chance(40) < 1);
});

test('what comes too late, or before any start, is no child, unless it is told', () => {
  const children = followed(5);
  const before = children.save();
  children.followed('late', 4 * HOUR + EXPECTED_MS + 1, false);
  new Children().followed('early', 0, false);
  assert.deepEqual(children.save(), before);
  children.followed('late', 4 * HOUR + EXPECTED_MS + 1, true);
  assert.equal(children.save().links.length, 2);
});

test('calls within one occasion count once, of the parent and of the child', () => {
  const children = followed(5);
  children.started(4 * HOUR + 10);
  children.followed('child', 4 * HOUR + 2_000, false);
  assert.deepEqual(children.save(), { starts: 5, links: [['child', 5]] });
});

test('it knows few children, and the rarest makes room', () => {
  const children = followed(5, 'often');
  for (let i = 0; i < 20; i++) {
    children.started((10 + i) * HOUR);
    children.followed(`once-${i}`, (10 + i) * HOUR + 1, false);
  }
  assert.equal(children.save().links.length, 8);
  assert.ok(children.save().links.some(([id]) => id === 'often'));
  const full = new Children();
  full.load({ starts: 10, links: Array.from({ length: 20 }, (_, i) => [`child-${i}`, 9] as const) });
  full.started(0);
  full.followed('new', 1, false);
  assert.equal(full.save().links.length, 8);
  assert.ok(!full.save().links.some(([id]) => id === 'new'));
});

test('old occasions count less', () => {
  const children = followed(200);
  children.followed('chance', 199 * HOUR + 5, false);
  for (let i = 200; i < 300; i++) children.started(i * HOUR);
  assert.ok(children.save().starts < 257);
  assert.deepEqual(
    children.save().links.map(([id]) => id),
    ['child'],
  );
});
