import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { calm, CAPACITY_CLASSES, lowestFirst, NOBODY, shed, SHED_LIMITS } from './mod.ts';
import type { CapacityClass, ShedLook, ShedState, Waiting } from './mod.ts';

const counts = fc.record({ reserved: fc.nat(500), standard: fc.nat(500), spot: fc.nat(500) });
const looks = fc.array(
  fc.record<ShedLook & { readonly passedMs: number }>({
    waiting: counts,
    longestMs: fc.nat(30_000),
    begun: fc.nat(1_000),
    running: fc.nat(50),
    atOnce: fc.nat(20),
    pressed: fc.boolean(),
    passedMs: fc.integer({ min: 1, max: 2_000 }),
  }),
  { maxLength: 40 },
);
const none = (refuse: Waiting) => CAPACITY_CLASSES.every((capacityClass) => refuse[capacityClass] === 0);
const total = ({ reserved, standard, spot }: Waiting) => reserved + standard + spot;

/** Calls `check` with each step of a course of looks. */
function course(
  all: readonly (ShedLook & { readonly passedMs: number })[],
  check: (step: { look: ShedLook; nowMs: number; state: ShedState; refuse: Waiting }) => void,
) {
  let nowMs = 0;
  let state = calm(nowMs);
  for (const { passedMs, ...look } of all) {
    nowMs += passedMs;
    const after = shed(state, look, nowMs, SHED_LIMITS);
    ({ state } = after);
    check({ look, nowMs, ...after });
  }
}

test('nobody is refused as long as nobody has waited for long', () => {
  fc.assert(
    fc.property(looks, (all) => {
      const short = all.map((look) => ({ ...look, longestMs: Math.min(look.longestMs, SHED_LIMITS.pressedWaitMs) }));
      course(short, ({ refuse, state }) => {
        assert.ok(none(refuse));
        assert.ok(!state.shedding);
      });
    }),
  );
});

test('nobody is refused for a wait that has not lasted', () => {
  fc.assert(
    fc.property(looks, (all) => {
      let overSinceMs: number | undefined;
      let begun = false;
      course(all, ({ look, nowMs, refuse, state }) => {
        if (look.longestMs <= SHED_LIMITS.pressedWaitMs || total(look.waiting) === 0) overSinceMs = undefined;
        else overSinceMs ??= nowMs;
        if (state.shedding && !begun) assert.ok(nowMs - overSinceMs! >= SHED_LIMITS.intervalMs);
        begun = state.shedding;
        if (!state.shedding) assert.ok(none(refuse));
      });
    }),
  );
});

test('no class loses anybody while a lower one has somebody left, and no more are refused than wait', () => {
  fc.assert(
    fc.property(counts, fc.integer({ min: -100, max: 2_000 }), (waiting, excess) => {
      const refuse = lowestFirst(waiting, excess);
      assert.equal(total(refuse), Math.max(0, Math.min(excess, total(waiting))));
      const left = (capacityClass: CapacityClass) => waiting[capacityClass] - refuse[capacityClass];
      if (refuse.standard > 0 || refuse.reserved > 0) assert.equal(left('spot'), 0);
      if (refuse.reserved > 0) assert.equal(left('standard'), 0);
    }),
  );
});

test('as many are left as can be served within the bound, at least one, one for each that runs, and one for each that can be started at once', () => {
  fc.assert(
    fc.property(looks, (all) =>
      course(all, ({ look, refuse, state }) => {
        if (!state.shedding) return;
        const kept = total(look.waiting) - total(refuse);
        const boundMs = look.pressed ? SHED_LIMITS.pressedWaitMs : SHED_LIMITS.waitMs;
        const enough = Math.max(1, look.running, look.atOnce, Math.ceil(state.perMs * boundMs));
        assert.equal(kept, Math.min(total(look.waiting), enough));
      }),
    ),
  );
});

test('it ends by itself when half of the bound is enough, and a new wait has to last again', () => {
  const waiting = { ...NOBODY, spot: 100 };
  const look = { waiting, longestMs: 9_000, begun: 1, running: 1, atOnce: 2, pressed: false };
  let state = calm(0);
  const at = (nowMs: number, more: Partial<ShedLook>) => {
    const after = shed(state, { ...look, ...more }, nowMs, SHED_LIMITS);
    ({ state } = after);
    return total(after.refuse);
  };
  assert.equal(at(250, {}), 0);
  assert.equal(at(1_000, {}), 0);
  assert.ok(at(1_250, {}) > 80);
  // Below the bound, and not yet below half of it.
  assert.ok(at(1_500, { longestMs: 3_000 }) > 0);
  assert.equal(at(1_750, { longestMs: 2_500 }), 0);
  assert.equal(state.shedding, false);
  assert.equal(at(2_000, {}), 0);
  assert.ok(at(3_000, {}) > 0);
  assert.equal(at(3_250, { waiting: NOBODY, longestMs: 0 }), 0);
  assert.equal(state.shedding, false);
});

test('an hour of twice what can be done: the wait stays bounded, spot goes, and all is calm two bounds after its end', () => {
  // Ten a second are served, ten reserved and ten spot ones come, in order of class; ten minutes later four of each.
  const lines: Record<CapacityClass, number[]> = { reserved: [], standard: [], spot: [] };
  const refused: Record<CapacityClass, number> = { reserved: 0, standard: 0, spot: 0 };
  let state = calm(0);
  let late = 0;
  for (let nowMs = 100; nowMs <= 3_600_000 + 600_000; nowMs += 100) {
    const overloaded = nowMs <= 3_600_000;
    if (overloaded || nowMs % 300 === 0) {
      lines.spot.push(nowMs);
      if (overloaded || nowMs % 600 === 0) lines.reserved.push(nowMs);
    }
    const served = lines.reserved.length > 0 ? lines.reserved.shift() : lines.spot.shift();
    late = Math.max(late, nowMs - (served ?? nowMs));
    const ages = [...lines.reserved.slice(0, 1), ...lines.spot.slice(0, 1)].map((sinceMs) => nowMs - sinceMs);
    const look = {
      waiting: { reserved: lines.reserved.length, standard: 0, spot: lines.spot.length },
      longestMs: Math.max(0, ...ages),
      begun: served === undefined ? 0 : 1,
      running: 1,
      atOnce: 1,
      pressed: false,
    };
    const after = shed(state, look, nowMs, SHED_LIMITS);
    ({ state } = after);
    for (const capacityClass of CAPACITY_CLASSES) {
      refused[capacityClass] += after.refuse[capacityClass];
      lines[capacityClass].splice(lines[capacityClass].length - after.refuse[capacityClass]);
    }
  }
  assert.equal(refused.reserved, 0);
  assert.ok(refused.spot > 30_000, String(refused.spot));
  assert.equal(state.shedding, false);
  assert.ok(lines.spot.length <= 1);
});
