import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { mayStart, schedule, throttleReason } from './mod.ts';

const views = fc
  .record({
    reserved: fc.boolean(),
    running: fc.nat(4),
    maxRunning: fc.nat(4),
    waiting: fc.nat(2),
    maxWaiting: fc.nat(2),
    hostInstances: fc.nat(4),
    hostMaxInstances: fc.integer({ min: 1, max: 4 }),
    committedMiB: fc.nat(4),
    memoryMiB: fc.oneof(fc.nat(4), fc.constant(Infinity)),
    availableMiB: fc.oneof(fc.integer({ min: -2, max: 4 }), fc.constant(Infinity)),
    floorMiB: fc.nat(2),
    processes: fc.nat(4),
    maxProcesses: fc.oneof(fc.nat(4), fc.constant(Infinity)),
    canMakeRoom: fc.boolean(),
    needMiB: fc.nat(2),
    capacityClass: fc.constantFrom('reserved', 'standard', 'spot'),
    available: fc.nat(2),
    instances: fc.nat(4),
    maxInstances: fc.oneof(fc.nat(4), fc.constant(Infinity)),
    stage: fc.constantFrom('none', 'booting', 'ready', 'failed'),
    mayRetry: fc.boolean(),
  })
  .map((v) => ({
    pool: { ...v, claim: { needMiB: v.needMiB, capacityClass: v.capacityClass }, mayRetryBoot: () => v.mayRetry } as const,
    share: v,
    account: v,
    machine: { ...v, instances: v.hostInstances, maxInstances: v.hostMaxInstances, canMakeRoom: () => v.canMakeRoom },
  }));

type Views = typeof views extends fc.Arbitrary<infer T> ? T : never;

function holds(name: string, check: (v: Views & { readonly placement: string }) => void): void {
  test(name, () =>
    fc.assert(
      fc.property(views, (v) => check({ ...v, placement: schedule(v.pool, v.share, v.machine) })),
      { numRuns: 2_000 },
    ),
  );
}

holds('nothing runs over the limit of its share', ({ placement, share }) => {
  const waits = share.reserved ? 'waitForReservation' : 'waitForAccount';
  if (share.running >= share.maxRunning) assert.ok(placement === waits || placement === 'refuse');
});

holds('no instance is made over the limit of the function, nor where the machine has no room and nobody can make it', (v) => {
  const { placement, pool, machine } = v;
  if (placement !== 'fork' && placement !== 'boot') return;
  assert.ok(pool.instances < pool.maxInstances);
  if (machine.instances === 0 || machine.canMakeRoom()) return;
  assert.ok(machine.instances < machine.maxInstances);
  assert.ok(machine.committedMiB + pool.claim.needMiB <= machine.memoryMiB);
  assert.ok(machine.availableMiB - pool.claim.needMiB >= machine.floorMiB);
  assert.ok(machine.processes < machine.maxProcesses);
});

holds('an instance that is there is used before any other is made', ({ placement, pool, share }) => {
  if (pool.available > 0 && pool.maxInstances > 0 && share.running < share.maxRunning) assert.equal(placement, 'warm');
  if (placement === 'warm') assert.ok(pool.available > 0);
});

holds('only a template that is ready forks, and only one that is neither ready nor booting is booted', ({ placement, pool }) => {
  if (placement === 'fork') assert.equal(pool.stage, 'ready');
  if (placement === 'boot') assert.ok(pool.stage === 'none' || (pool.stage === 'failed' && pool.mayRetryBoot()));
  if (placement === 'fail') assert.ok(pool.stage === 'failed' && !pool.mayRetryBoot());
  if (placement === 'waitForBoot') assert.equal(pool.stage, 'booting');
});

holds('a wait names what it is for, and so does a refusal after it', ({ placement, pool, share, account, machine }) => {
  const reason = throttleReason(pool, share, account, machine);
  if (placement === 'waitForAccount') assert.ok(!share.reserved && share.running >= share.maxRunning);
  if (placement === 'waitForReservation') assert.ok(share.reserved && share.running >= share.maxRunning);
  if (placement === 'waitForFunction') assert.ok(pool.instances >= pool.maxInstances);
  if (placement === 'waitForHost') {
    assert.ok(!mayStart(pool.claim, machine));
    assert.match(reason, /^Machine(Instance|Memory|Process)LimitExceeded$/);
  }
  assert.equal(placement === 'refuse', pool.maxInstances === 0 || (share.reserved && share.maxRunning === 0));
  const usedUp = share.running >= share.maxRunning;
  const ofFunction = pool.instances >= pool.maxInstances || (share.reserved && usedUp);
  if (ofFunction) assert.equal(reason, 'ReservedFunctionConcurrentInvocationLimitExceeded');
  else if (usedUp) assert.equal(reason, 'ConcurrentInvocationLimitExceeded');
  else if (mayStart(pool.claim, machine)) assert.match(reason, /^(Caller|FunctionInvocation)RateLimitExceeded$/);
});

holds('what is alone on the machine may always start', ({ pool, machine }) => {
  if (machine.instances === 0) assert.ok(mayStart(pool.claim, machine));
});
