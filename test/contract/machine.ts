import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext, TestOptions } from 'node:test';
import type { ManualClock } from '../../src/kernel/mod.ts';
import { manualClock } from '../../src/kernel/mod.ts';
import { LOOK_EVERY_MS } from '../../src/ports/mod.ts';
import type { Machine } from '../../src/ports/mod.ts';

export type MachinePlace = {
  readonly machine: Machine;
  /** Takes so much of what is available, as another process would. */
  take(mib: number): Promise<void>;
};

/** What every implementation of the Machine port promises. */
export function machineContract(
  name: string,
  place: (t: TestContext, clock: ManualClock) => Promise<MachinePlace>,
  options: TestOptions = {},
): void {
  test(`${name}: what is available is a part of what there is`, options, async (t) => {
    const { machine } = await place(t, manualClock());
    const { memory, processes, pressure } = machine.look();
    assert.ok(memory.limitMiB > 0 && memory.availableMiB >= 0 && memory.availableMiB <= memory.limitMiB, JSON.stringify(memory));
    assert.ok(processes.used >= 1 && processes.limit > processes.used, JSON.stringify(processes));
    for (const percent of [pressure.cpu, pressure.memory]) assert.ok(percent === undefined || (percent >= 0 && percent <= 100));
  });

  test(`${name}: it is looked at now and then, however often it is asked`, options, async (t) => {
    const clock = manualClock();
    const { machine } = await place(t, clock);
    const first = machine.look();
    assert.equal(machine.look(), first);
    clock.advance(LOOK_EVERY_MS - 1);
    assert.equal(machine.look(), first);
    clock.advance(1);
    const second = machine.look();
    assert.notEqual(second, first);
    assert.equal(second.atMs - first.atMs, LOOK_EVERY_MS);
  });

  test(`${name}: memory that is taken is not available`, options, async (t) => {
    const clock = manualClock();
    const { machine, take } = await place(t, clock);
    const seen: number[] = [];
    const look = () => {
      clock.advance(LOOK_EVERY_MS);
      const { limitMiB, availableMiB } = machine.look().memory;
      seen.push(availableMiB);
      return { limitMiB, availableMiB };
    };
    const { limitMiB } = look();
    // Others on the machine come and go. That somebody gives as much back at the same moment happens once, not each time.
    for (let takes = 1; seen.length < 2 || seen.at(-2)! - seen.at(-1)! <= 50; takes++) {
      assert.ok(takes <= 4, seen.join(' -> '));
      await take(400);
      assert.equal(look().limitMiB, limitMiB);
    }
  });
}
