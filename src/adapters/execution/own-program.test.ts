import assert from 'node:assert/strict';
import { test } from 'node:test';
import { manualClock, systemRandom } from '../../kernel/mod.ts';
import type { SandboxSpec } from '../../ports/mod.ts';
import { WIND_DOWN_MS } from './environment.ts';
import { bootProgram, connectHere, openEnvironment, startOwnProgram, WindDowns } from './mod.ts';
import type { Processes } from './mod.ts';

const SPEC = { label: 'test', handler: 'x', memoryMiB: 128, initTimeoutMs: 10_000, concurrency: 1, environment: {} } as SandboxSpec;
const NONE: Processes = { startRuntime() {}, freeze() {}, signalRuntime() {}, connect: connectHere };

test('what the driver cannot start is told to who boots it, and its environment ends, with its address and its timers', async () => {
  const clock = manualClock();
  const timers = new Set<object>();
  const counting = {
    ...clock,
    after(delayMs: number, run: () => void) {
      const timer = clock.after(delayMs, () => {
        timers.delete(timer);
        run();
      });
      timers.add(timer);
      return { cancel: () => (timers.delete(timer), timer.cancel()) };
    },
  };
  let kills = 0;
  const opened = openEnvironment({
    ...{ clock: counting, random: systemRandom, windDowns: new WindDowns(), windDown: WIND_DOWN_MS, spec: SPEC, external: [] },
    inside: undefined,
    standsStill: false,
    processes: NONE,
    kill: () => kills++,
  });
  const { AWS_LAMBDA_RUNTIME_API: address } = (await opened.placed).environment;
  const ask = () => fetch(`http://${address}/`);
  assert.equal((await ask()).status, 404);
  const options = { spec: SPEC, opened, start: 'spawn', memoryKiB: () => 0, flush() {}, connect: connectHere } as const;
  const begin = () => Promise.reject(new Error('no process could be started'));
  const booted = bootProgram(counting, (log) => startOwnProgram({ ...options, clock: counting, log, begin }), { log() {} });
  await assert.rejects(booted, /^Error: no process could be started$/);
  await assert.rejects(ask());
  assert.equal(kills, 1);
  // The program's last word is waited for, but nothing as long as an init may take.
  clock.advance(1_000);
  assert.equal(timers.size, 0);
});
