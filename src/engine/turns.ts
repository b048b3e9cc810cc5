import { Fifo } from '../kernel/mod.ts';
import type { Linked } from '../kernel/mod.ts';
import type { CapacityClass } from '../policy/mod.ts';
import type { Pool } from './pool.ts';

/** Pools with invocations that wait for the same thing, of each class those first that came first. Every step takes constant time, however many wait. */
export class Turns {
  /** Of all classes; counted by who comes and goes. */
  size = 0;
  readonly #lines: Readonly<Record<CapacityClass, Fifo<Turn>>> = { reserved: new Fifo(), standard: new Fifo(), spot: new Fifo() };

  of(capacityClass: CapacityClass): Fifo<Turn> {
    return this.#lines[capacityClass];
  }
}

/** The place of a pool in the one line that it stands in, if it does. */
export class Turn implements Linked<Turn> {
  previous: Turn | undefined;
  next: Turn | undefined;
  queue: Fifo<Turn> | undefined;
  /** It stays until its turn comes. */
  dueMs = 0;
  readonly pool: Pool;
  #turns: Turns | undefined;

  constructor(pool: Pool) {
    this.pool = pool;
  }

  /** Goes to the end, unless it stands there already: then it keeps its place. */
  join(turns: Turns): void {
    if (this.#turns === turns) return;
    this.leave();
    turns.of(this.pool.claim.capacityClass).push(this);
    turns.size++;
    this.#turns = turns;
  }

  leave(): void {
    if (!this.#turns) return;
    this.queue!.remove(this);
    this.#turns.size--;
    this.#turns = undefined;
  }

  isIn(turns: Turns): boolean {
    return this.#turns === turns;
  }
}
