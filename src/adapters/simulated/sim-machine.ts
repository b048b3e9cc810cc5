import { LOOK_EVERY_MS } from '../../ports/mod.ts';
import type { Machine, MachineLook } from '../../ports/mod.ts';
import type { Clock } from '../../kernel/mod.ts';

export type SimMachineState = {
  limitMiB: number;
  availableMiB: number;
  processes: number;
  maxProcesses: number;
  cpuPressure: number | undefined;
  memoryPressure: number | undefined;
};

/** A machine whose figures are set by hand. */
export class SimMachine implements Machine {
  readonly state: SimMachineState;
  readonly #clock: Clock;
  #latest: MachineLook | undefined;

  constructor(clock: Clock, state: Partial<SimMachineState> = {}) {
    this.#clock = clock;
    const given = { limitMiB: 1_024, availableMiB: 1_024, processes: 10, maxProcesses: Infinity };
    this.state = { ...given, cpuPressure: undefined, memoryPressure: undefined, ...state };
  }

  look(): MachineLook {
    const atMs = this.#clock.monotonicMs();
    if (this.#latest && atMs - this.#latest.atMs < LOOK_EVERY_MS) return this.#latest;
    const { limitMiB, availableMiB, processes, maxProcesses, cpuPressure, memoryPressure } = this.state;
    return (this.#latest = {
      atMs,
      memory: { limitMiB, availableMiB: Math.max(0, Math.min(limitMiB, availableMiB)) },
      processes: { used: processes, limit: maxProcesses },
      pressure: { cpu: cpuPressure, memory: memoryPressure },
    });
  }
}
