import type { Clock } from '../../kernel/mod.ts';
import type { Step } from '../../ports/mod.ts';
import type { ReadyPayload } from '../../protocol/mod.ts';
import { machineMs } from '../../../runtimes/ladder/steps.ts';

/** What a sandbox tells of itself, in this order: how it was made, ... */
export const SANDBOX_STEPS = ['sandbox forked', 'walls built', 'sandbox ready'] as const;
/** ... then of its function, ... */
export const FUNCTION_STEPS = ['function read', 'code shown', 'module loaded', 'blockers looked for'] as const;
/** ... and each instance of its own beginning. */
export const INSTANCE_STEPS = ['fork begun', 'forked', 'instance ready', 'event read', 'answered'] as const;
/** A plain process tells of all but the last at once. */
export const PROCESS_STEPS = ['process began', 'runtime loaded', 'init begun', 'module loaded', 'blockers looked for'] as const;

/** Of PROCESS_STEPS. */
export const processTimes = ({ before, times }: ReadyPayload): readonly unknown[] => [before[0], before[1], ...times];

/**
 * The steps of a start as they are gathered, in monotonic time of the host's clock. Those inside of a sandbox are told by it: its processes
 * read the same clock of the machine, but may say what they like. They are held to what can be true.
 */
export class Steps {
  readonly #clock: Clock;
  /** Undefined once they have been taken: later ones are nobody's. */
  #steps: Step[] | undefined = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** It happens just now. Returns the time. */
  add(name: string): number {
    const atMs = this.#clock.monotonicMs();
    this.#steps?.push({ name, atMs });
    return atMs;
  }

  /**
   * Steps with the times at which a sandbox says they happened, as `machineMs` gives them: in order, not before `sinceMs` and not after now.
   * Anything else but a positive number means that there was no such step. `ahead`: what happened before `sinceMs` is left out.
   */
  addTold(names: readonly string[], times: readonly unknown[], sinceMs: number, ahead = false): void {
    const nowMs = this.#clock.monotonicMs();
    const offsetMs = nowMs - machineMs();
    let earliestMs = sinceMs;
    for (const [index, name] of names.entries()) {
      const time = times[index];
      if (typeof time !== 'number' || !(time > 0) || (ahead && time + offsetMs < sinceMs)) continue;
      earliestMs = Math.min(nowMs, Math.max(earliestMs, time + offsetMs));
      this.#steps?.push({ name, atMs: earliestMs });
    }
  }

  /** In order, once. */
  take(): readonly Step[] {
    const steps = this.#steps ?? [];
    this.#steps = undefined;
    return steps.sort((a, b) => a.atMs - b.atMs);
  }
}
