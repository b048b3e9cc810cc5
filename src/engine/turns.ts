import { Fifo } from '../kernel/mod.ts';
import type { Linked } from '../kernel/mod.ts';
import type { CapacityClass } from '../policy/mod.ts';
import type { Pool } from './pool.ts';

/** Pools with invocations that wait for the same thing, of each class those first that came first. Every step takes constant time, however many wait. */
export class Turns {
  readonly #lines: Readonly<Record<CapacityClass, Fifo<Turn>>> = { reserved: new Fifo(), standard: new Fifo(), spot: new Fifo() };

  get size(): number {
    const { reserved, standard, spot } = this.#lines;
    return reserved.size + standard.size + spot.size;
  }

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

  constructor(pool: Pool) {
    this.pool = pool;
  }

  /** Goes to the end, unless it stands there already: then it keeps its place. */
  join(turns: Turns): void {
    const line = turns.of(this.pool.claim.capacityClass);
    if (this.queue === line) return;
    this.leave();
    line.push(this);
  }

  leave(): void {
    this.queue?.remove(this);
  }

  isIn(turns: Turns): boolean {
    return this.queue !== undefined && this.queue === turns.of(this.pool.claim.capacityClass);
  }
}
