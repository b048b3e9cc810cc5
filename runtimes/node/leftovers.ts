/**
 * Whether what invocations have left behind is known to be nothing, so that the event loop need not turn before the next one. A turn costs
 * a tenth of a short invocation. Where this cannot be known it turns.
 */
import { AsyncResource } from 'node:async_hooks';
import { uncurry } from '../ladder/uncurry.ts';
import { native } from './native.ts';

/** For the sake of what is not seen here: timers and sockets that are unreferenced, V8's own tasks. */
const MAX_STILL_MS = 4;

const { now } = Date;
const Resource = AsyncResource;
const idOf = uncurry<AsyncResource, [], number>(AsyncResource.prototype.asyncId);

/** Node numbers timers, immediates, ticks, handles and requests in the order in which they are made; so it does this one. */
const count = (): number => idOf(new Resource('Hearth', { requireManualDestroy: true }));

export class Leftovers {
  #turnedMs = 0;
  #made = 0;

  /** The event loop is asked for a turn, by one immediate. What was made before it will have had its turn too. */
  turning(): void {
    this.#made = count() + 1;
  }

  turned(): void {
    this.#turnedMs = now();
  }

  /** Since the last call, or since the turn was asked for. */
  none(): boolean {
    if (!native?.loopIsEmpty()) return false;
    const expected = ++this.#made;
    const stillMs = now() - this.#turnedMs;
    return (this.#made = count()) === expected && stillMs >= 0 && stillMs < MAX_STILL_MS;
  }
}
