/**
 * The extensions of a sandbox as its keeper sees them: pid 1 is the parent of all that lost theirs, and who starts an extension leaves it at
 * once. Each says which it is before it begins, and the kernel adds its pid.
 */
import { sendRecord } from './messages.ts';
import type { Record } from './messages.ts';
import { NEVER_BEGAN, RECORD } from './orders.ts';

export class KeptExtensions {
  readonly #control: number;
  /** By pid: its place in the list. */
  readonly #living = new Map<number, number>();
  readonly #failed = new Set<number>();
  /** Places whose process has not said yet which it is. */
  readonly #awaited = new Set<number>();
  /** The function has not begun: what processes say of themselves must be heard before it is told how they ended. */
  early = false;

  /** `control`: where the host hears of them. */
  constructor(control: number) {
    this.#control = control;
  }

  expect(count: number): void {
    for (let place = 0; place < count; place++) this.#awaited.add(place);
    this.early = count > 0;
  }

  /** A record from inside. What does not fit is somebody else's attempt, and says nothing. */
  hear({ kind, a: place, pid }: Record): void {
    if (kind === RECORD.extension && this.#awaited.delete(place)) this.#living.set(pid, place);
    else if (kind === RECORD.extensionNotBegun) {
      // From the process itself, which is about to end, or from who could not make one.
      if (this.#living.get(pid) === place) this.#failed.add(place);
      else if (this.#awaited.delete(place)) this.#ended(place, NEVER_BEGAN);
    }
  }

  /** A process without a parent of its own has ended. */
  collected(pid: number, status: number): void {
    const place = this.#living.get(pid);
    if (place === undefined) return;
    this.#living.delete(pid);
    this.#ended(place, this.#failed.has(place) ? NEVER_BEGAN : status);
  }

  #ended(place: number, status: number): void {
    sendRecord(this.#control, RECORD.extensionEnded, place, status);
  }
}
