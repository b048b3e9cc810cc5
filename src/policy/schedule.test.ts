import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { schedule } from './mod.ts';

const views = fc
  .record({
    running: fc.nat(4),
    maxRunning: fc.integer({ min: 1, max: 4 }),
    hostInstances: fc.nat(4),
    hostMaxInstances: fc.integer({ min: 1, max: 4 }),
    canEvict: fc.boolean(),
    available: fc.nat(2),
    instances: fc.nat(4),
    maxInstances: fc.oneof(fc.nat(4), fc.constant(Infinity)),
    stage: fc.constantFrom('none', 'booting', 'ready', 'failed'),
    mayRetry: fc.boolean(),
  })
  .map((v) => ({
    pool: { ...v, mayRetryBoot: () => v.mayRetry } as const,
    host: {
      running: v.running,
      maxRunning: v.maxRunning,
      instances: v.hostInstances,
      maxInstances: v.hostMaxInstances,
      canEvict: () => v.canEvict,
    },
  }));

type Views = typeof views extends fc.Arbitrary<infer T> ? T : never;

function holds(name: string, check: (v: Views & { readonly placement: string }) => void): void {
  test(name, () =>
    fc.assert(
      fc.property(views, (v) => check({ ...v, placement: schedule(v.pool, v.host) })),
      { numRuns: 2_000 },
    ),
  );
}

holds('nothing runs over the limit of the account', ({ placement, host }) => {
  if (host.running >= host.maxRunning) assert.ok(placement === 'waitForAccount' || placement === 'refuse');
});

holds('no instance is made over the limit of the function or of the host', ({ placement, pool, host }) => {
  if (placement !== 'fork' && placement !== 'boot') return;
  assert.ok(pool.instances < pool.maxInstances);
  assert.ok(host.instances < host.maxInstances || host.canEvict());
});

holds('an instance that is there is used before any other is made', ({ placement, pool, host }) => {
  if (pool.available > 0 && pool.maxInstances > 0 && host.running < host.maxRunning) assert.equal(placement, 'warm');
  if (placement === 'warm') assert.ok(pool.available > 0);
});

holds('only a template that is ready forks, and only one that is neither ready nor booting is booted', ({ placement, pool }) => {
  if (placement === 'fork') assert.equal(pool.stage, 'ready');
  if (placement === 'boot') assert.ok(pool.stage === 'none' || (pool.stage === 'failed' && pool.mayRetryBoot()));
  if (placement === 'fail') assert.ok(pool.stage === 'failed' && !pool.mayRetryBoot());
  if (placement === 'waitForBoot') assert.equal(pool.stage, 'booting');
});

holds('a wait names what it is for', ({ placement, pool, host }) => {
  if (placement === 'waitForAccount') assert.ok(host.running >= host.maxRunning);
  if (placement === 'waitForFunction') assert.ok(pool.instances >= pool.maxInstances);
  if (placement === 'waitForHost') assert.ok(host.instances >= host.maxInstances && !host.canEvict());
  assert.equal(placement === 'refuse', pool.maxInstances === 0);
});
