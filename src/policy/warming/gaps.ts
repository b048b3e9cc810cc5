/**
 * The last gaps of one function, a byte each: which bin, and whether it ended with a call that nobody had told of. What is older than
 * the last `REMEMBERED` is forgotten, so a function that changes its habits is known again soon. Counting is done when it is asked for.
 */
import { BINS, SHORT } from './bins.ts';

export const REMEMBERED = 512;
/** Set on a gap that a declared schedule has ended: nobody knows how long it would have been. */
const CENSORED = 0x80;

export class Gaps {
  /** What `write` writes at most. */
  static readonly MOST_BYTES = 10 + REMEMBERED;
  readonly #ring: Uint8Array;
  #next = 0;
  #size = 0;
  /** Gaps below half a minute are only counted: a busy second would push out all that is known. Halved together with `long`. */
  #short = 0;
  #long = 0;

  constructor() {
    this.#ring = new Uint8Array(REMEMBERED);
  }

  get size(): number {
    return this.#size;
  }

  /** The last gap of more than half a minute that a call has ended, `back` 0, or the one before it, 1; -1: there was none. */
  at(back: number): number {
    return back < this.#size ? this.#ring[(this.#next - 1 - back + REMEMBERED) % REMEMBERED]! & ~CENSORED : -1;
  }

  add(bin: number, censored: boolean): void {
    if (bin === SHORT) this.#short++;
    else this.#long++;
    if (this.#short + this.#long > REMEMBERED) {
      this.#short /= 2;
      this.#long /= 2;
    }
    if (bin === SHORT) return;
    this.#ring[this.#next] = bin | (censored ? CENSORED : 0);
    this.#next = (this.#next + 1) % REMEMBERED;
    this.#size = Math.min(REMEMBERED, this.#size + 1);
  }

  /**
   * Turns the chances that the population gives into the function's own, in place: all its gaps first, then those after a gap like the
   * last, then those after two gaps like the last two. Each is believed as far as there is much of it.
   */
  refine(chances: Float64Array, bins = BINS): void {
    chances[SHORT] = (this.#short + LEAN_OWN * chances[SHORT]!) / (this.#short + this.#long + LEAN_OWN);
    const last = this.at(0);
    const before = this.at(1);
    COUNTS.fill(0);
    const ring = this.#ring;
    let at = (this.#next - this.#size + REMEMBERED) % REMEMBERED;
    let older = -1;
    let previous = -1;
    let afterOne = 0;
    let afterTwo = 0;
    for (let left = this.#size; left > 0; left--) {
      const entry = ring[at]!;
      const bin = entry & ~CENSORED;
      const place = entry === bin ? bin : bin + AT_RISK;
      COUNTS[place]!++;
      if (previous === last) {
        afterOne++;
        COUNTS[place + PLACES]!++;
        if (older === before) {
          afterTwo++;
          COUNTS[place + 2 * PLACES]!++;
        }
      }
      older = previous;
      previous = bin;
      if (++at === REMEMBERED) at = 0;
    }
    let all = this.#size;
    for (let bin = SHORT + 1; bin < bins && all > 0; bin++) {
      const risk = bin + AT_RISK;
      let chance = (COUNTS[bin]! + LEAN_OWN * chances[bin]!) / (all + LEAN_OWN);
      all -= COUNTS[bin]! + COUNTS[risk]!;
      if (afterOne > 0) {
        chance = (COUNTS[bin + PLACES]! + LEAN_ONE * chance) / (afterOne + LEAN_ONE);
        afterOne -= COUNTS[bin + PLACES]! + COUNTS[risk + PLACES]!;
      }
      if (afterTwo > 0) {
        chance = (COUNTS[bin + 2 * PLACES]! + LEAN_TWO * chance) / (afterTwo + LEAN_TWO);
        afterTwo -= COUNTS[bin + 2 * PLACES]! + COUNTS[risk + 2 * PLACES]!;
      }
      chances[bin] = chance;
    }
  }

  /** From the oldest to the youngest, behind a head of `GAPS_HEAD_BYTES`. */
  write(into: DataView, at: number): number {
    into.setFloat32(at, this.#short);
    into.setFloat32(at + 4, this.#long);
    into.setUint16(at + 8, this.#size);
    for (let i = 0; i < this.#size; i++) {
      into.setUint8(at + GAPS_HEAD_BYTES + i, this.#ring[(this.#next - this.#size + i + REMEMBERED) % REMEMBERED]!);
    }
    return at + GAPS_HEAD_BYTES + this.#size;
  }

  /** What `write` has written up to the end of the bytes; undefined: it is something else. */
  static read(from: DataView, at: number): Gaps | undefined {
    if (from.byteLength < at + GAPS_HEAD_BYTES) return undefined;
    const gaps = new Gaps();
    const short = from.getFloat32(at);
    const long = from.getFloat32(at + 4);
    const size = from.getUint16(at + 8);
    if (!(short >= 0 && long >= 0 && short + long <= REMEMBERED)) return undefined;
    if (size > REMEMBERED || from.byteLength !== at + GAPS_HEAD_BYTES + size) return undefined;
    for (let i = 0; i < size; i++) {
      const entry = from.getUint8(at + GAPS_HEAD_BYTES + i);
      const bin = entry & ~CENSORED;
      if (bin === SHORT || bin > BINS) return undefined;
      gaps.add(bin, entry !== bin);
    }
    gaps.#short = short;
    gaps.#long = long;
    return gaps;
  }
}

export const GAPS_HEAD_BYTES = 10;

/** Gaps: with as many of its own, a function is believed as much as what it leans on. */
const LEAN_OWN = 10;
const LEAN_ONE = 6;
const LEAN_TWO = 6;

/** Counted anew at each question: the function's gaps, those after one and those after two like the last; then the censored ones. */
const PLACES = 128;
const AT_RISK = 3 * PLACES;
const COUNTS = new Uint16Array(6 * PLACES);
