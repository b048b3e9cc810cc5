import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { bootsAtOnce, mayQueue, missingMiB, shortageOf, throttleReason } from './mod.ts';

const account = { waiting: 0, maxWaiting: 100 };
const share = { reserved: false, running: 0, maxRunning: 10 };
const machine = {
  instances: 5,
  maxInstances: 10,
  committedMiB: 50,
  memoryMiB: 100,
  availableMiB: 1_000,
  floorMiB: 100,
  processes: 10,
  maxProcesses: 100,
  canMakeRoom: () => false,
};
const need = { capacityClass: 'standard', needMiB: 10 } as const;
const pool = { claim: need, instances: 1, maxInstances: Infinity };

test('each shortage has a name, and a reason that a caller is told', () => {
  const cases = [
    [{}, undefined, 'FunctionInvocationRateLimitExceeded'],
    [{ instances: 10 }, 'instances', 'MachineInstanceLimitExceeded'],
    [{ committedMiB: 91 }, 'memory', 'MachineMemoryLimitExceeded'],
    [{ availableMiB: 109 }, 'memory', 'MachineMemoryLimitExceeded'],
    [{ processes: 100 }, 'processes', 'MachineProcessLimitExceeded'],
  ] as const;
  for (const [state, shortage, reason] of cases) {
    assert.equal(shortageOf(need, { ...machine, ...state }), shortage);
    assert.equal(throttleReason(pool, share, account, { ...machine, ...state }), reason);
  }
});

test('where others can go, the machine is not the reason', () => {
  const full = { ...machine, committedMiB: 100, canMakeRoom: () => true };
  assert.equal(throttleReason(pool, share, account, full), 'FunctionInvocationRateLimitExceeded');
  assert.equal(throttleReason(pool, share, { ...account, waiting: 100 }, full), 'CallerRateLimitExceeded');
});

test('what is missing is what has to be given back, and not more', () => {
  const mib = fc.nat(1_000);
  fc.assert(
    fc.property(fc.record({ committedMiB: mib, memoryMiB: mib, availableMiB: mib, floorMiB: mib }), mib, (state, needMiB) => {
      const missing = Math.max(0, missingMiB(needMiB, { ...machine, ...state }));
      const after = { ...machine, ...state, committedMiB: state.committedMiB - missing, availableMiB: state.availableMiB + missing };
      assert.ok(missingMiB(needMiB, after) <= 0);
      if (missing > 0) assert.equal(missingMiB(needMiB, after), 0);
    }),
  );
});

test('a line has its own depth, and that of all lines', () => {
  assert.ok(mayQueue(4, 5, account));
  assert.ok(!mayQueue(5, 5, account));
  assert.ok(!mayQueue(4, 5, { ...account, waiting: 100 }));
});

test('a boot is always under way, fewer where processors are waited for, and more on more of them', () => {
  assert.deepEqual([bootsAtOnce(1, undefined), bootsAtOnce(2, 10), bootsAtOnce(2, 90), bootsAtOnce(1, 100)], [2, 3, 2, 1]);
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 512 }), fc.double({ min: 0, max: 100, noNaN: true }), (processors, pressure) => {
      const most = bootsAtOnce(processors, pressure);
      assert.ok(most >= 1 && most <= bootsAtOnce(processors, undefined) && most <= bootsAtOnce(processors + 1, pressure));
    }),
  );
});
