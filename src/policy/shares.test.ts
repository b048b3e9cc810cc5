import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isClosed, isUsedUp, schedule, throttleReason, unreservedOf } from './mod.ts';
import type { Placement } from './mod.ts';

const machine = {
  instances: 0,
  maxInstances: Infinity,
  committedMiB: 0,
  memoryMiB: Infinity,
  availableMiB: Infinity,
  floorMiB: 0,
  processes: 0,
  maxProcesses: Infinity,
  canMakeRoom: () => false,
};
/** Of all versions here: as many instances as are wanted, from a template that is there. */
const pool = {
  claim: { capacityClass: 'standard', needMiB: 1 },
  available: 0,
  instances: 0,
  maxInstances: Infinity,
  stage: 'ready',
  mayRetryBoot: () => false,
} as const;

class Share {
  readonly reserved: boolean;
  running = 0;
  maxRunning: number;

  constructor(reserved: boolean, maxRunning: number) {
    this.reserved = reserved;
    this.maxRunning = maxRunning;
  }

  call(): Placement {
    const placement = schedule(pool, this, machine);
    if (placement === 'fork') this.running++;
    return placement;
  }
}

const reservations = fc.array(fc.nat(5), { minLength: 1, maxLength: 5 });

test('under floods of all functions each gets its reservation, whoever came first, and the others get the rest', () => {
  const order = fc.infiniteStream(fc.nat());
  fc.assert(
    fc.property(reservations, fc.nat(20), order, (reserved, left, picks) => {
      const own = reserved.map((most) => new Share(true, most));
      const most = reserved.reduce((sum, each) => sum + each, 0) + left;
      const shares = [...own, new Share(false, unreservedOf(most, 0, own))];
      const open = new Set(shares);
      while (open.size > 0) {
        const all = [...open];
        const share = all[picks.next().value % all.length]!;
        if (share.call() !== 'fork') open.delete(share);
      }
      assert.deepEqual(
        shares.map(({ running }) => running),
        [...reserved, left],
      );
    }),
  );
});

test('as invocations come and go and reservations change, none begins beyond the reservation, nor beyond the rest', () => {
  const step = fc.record({ of: fc.nat(5), does: fc.constantFrom('call', 'call', 'call', 'end', 'reserve'), most: fc.nat(6) });
  fc.assert(
    fc.property(reservations, fc.array(step, { maxLength: 200 }), (reserved, steps) => {
      const account = 20;
      const own = reserved.map((most) => new Share(true, most));
      const rest = new Share(false, unreservedOf(account, 0, own));
      for (const { of, does, most } of steps) {
        const share = own[of] ?? rest;
        const before = share.running;
        if (does === 'end') share.running = Math.max(0, before - 1);
        else if (does === 'reserve' && share.reserved) share.maxRunning = most;
        else if (does === 'call') assert.equal(share.call() === 'fork', before < share.maxRunning);
        rest.maxRunning = unreservedOf(account, 0, own);
        assert.equal(rest.maxRunning + own.reduce((sum, { maxRunning }) => sum + maxRunning, 0) >= account, true);
        if (share.running > before) assert.ok(share.running <= share.maxRunning);
      }
    }),
  );
});

test('a reservation of 0 refuses, one that is used up has its own wait and reason, and so has the rest', () => {
  const account = { waiting: 0, maxWaiting: 1 };
  const cases = [
    [new Share(true, 0), 'refuse', 'ReservedFunctionConcurrentInvocationLimitExceeded'],
    [Object.assign(new Share(true, 2), { running: 2 }), 'waitForReservation', 'ReservedFunctionConcurrentInvocationLimitExceeded'],
    [Object.assign(new Share(true, 2), { running: 3 }), 'waitForReservation', 'ReservedFunctionConcurrentInvocationLimitExceeded'],
    [Object.assign(new Share(false, 2), { running: 2 }), 'waitForAccount', 'ConcurrentInvocationLimitExceeded'],
    [new Share(false, 0), 'waitForAccount', 'ConcurrentInvocationLimitExceeded'],
    [new Share(true, 1), 'fork', 'FunctionInvocationRateLimitExceeded'],
  ] as const;
  for (const [share, placement, reason] of cases) {
    assert.deepEqual([schedule(pool, share, machine), throttleReason(pool, share, account, machine)], [placement, reason]);
    assert.equal(isClosed(share), placement === 'refuse');
    assert.equal(isUsedUp(share), placement !== 'fork');
  }
});

test('where more is reserved than there is, the others have so much all the same', () => {
  const own = [new Share(true, 7), new Share(true, 7)];
  assert.deepEqual([unreservedOf(10, 0, own), unreservedOf(10, 2, own), unreservedOf(20, 2, own), unreservedOf(10, 2, [])], [0, 2, 6, 10]);
});
