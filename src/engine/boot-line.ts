import type { Clock, Timer } from '../kernel/mod.ts';
import { CAPACITY_CLASSES, bootsAtOnce } from '../policy/mod.ts';
import type { CapacityClass, Need } from '../policy/mod.ts';

export type BootLineOptions = {
  readonly clock: Clock;
  readonly processors: number;
  readonly pressure: () => number | undefined;
  /** Makes room for one more template; false: there is none, and those in line wait. */
  readonly makeRoom: (need: Need, alone: boolean) => boolean;
};

/** A boot that waits for its turn, or has it. */
export type Turn = { readonly need: Need; readonly go: () => void };

/** What takes longer waits for something, of which an init may: others need not wait for that too. */
const TURN_MS = 500;

/**
 * Boots, a few at a time: a thousand functions that are called at once would otherwise all be late, and none of them served. Who comes first
 * is a matter of class, and then of arrival. One boot serves all who call its function.
 */
export class BootLine {
  readonly #options: BootLineOptions;
  readonly #waiting: Readonly<Record<CapacityClass, Set<Turn>>> = { reserved: new Set(), standard: new Set(), spot: new Set() };
  /** Each until its turn is over, though it be not done. */
  readonly #going = new Map<Turn, Timer>();
  #calling = false;
  /** How many are in line. A plain number: it is asked for whenever an invocation ends. */
  waiting = 0;

  constructor(options: BootLineOptions) {
    this.#options = options;
  }

  get going(): number {
    return this.#going.size;
  }

  /** `go` is called when its turn has come, perhaps at once; `leave` must be, in any case. */
  join(need: Need, go: () => void): Turn {
    const turn: Turn = { need, go };
    this.#waiting[need.capacityClass].add(turn);
    this.waiting++;
    this.next();
    return turn;
  }

  /** It is done, or given up. */
  leave(turn: Turn): void {
    this.#unqueue(turn);
    this.#over(turn);
  }

  #over(turn: Turn): void {
    this.#going.get(turn)?.cancel();
    if (this.#going.delete(turn)) this.next();
  }

  /** Lets those go whose turn has come. */
  next(): void {
    // A turn that is given up as soon as it has come calls the next one from within.
    if (this.#calling) return;
    this.#calling = true;
    for (let turn = this.#first; turn && this.#mayGo(turn); turn = this.#first) {
      this.#unqueue(turn);
      const begun = turn;
      this.#going.set(
        begun,
        this.#options.clock.after(TURN_MS, () => this.#over(begun)),
      );
      turn.go();
    }
    this.#calling = false;
  }

  #unqueue(turn: Turn): void {
    if (this.#waiting[turn.need.capacityClass].delete(turn)) this.waiting--;
  }

  #mayGo({ need }: Turn): boolean {
    const { processors, pressure, makeRoom } = this.#options;
    return this.#going.size < bootsAtOnce(processors, pressure()) && makeRoom(need, this.#going.size === 0);
  }

  get #first(): Turn | undefined {
    for (const capacityClass of CAPACITY_CLASSES) {
      const [turn] = this.#waiting[capacityClass];
      if (turn) return turn;
    }
    return undefined;
  }
}
