/**
 * What all functions have in common: the chance that a call comes in the next minute, given how long it has been waited for and
 * what the last two gaps were. It is told by proportion rather than by length, so that what is learnt from a function that is called every
 * five minutes holds for one that is called every seven: whether the two last gaps were alike, and whether the time in question
 * is that of the last gap, next to it, before it, after it, twice it, or that of the gap before.
 *
 * Four tables, from the general to the particular: by waiting time alone; for times near the last gap, by proportion alone; by both; by
 * both and class of trigger. Each cell counts calls and minutes waited. A cell with little in it leans on the one above it.
 */
import { BINS, binOf, EDGES, MINUTE_MS, SHORT, SIZE_COUNT, SIZES, WIDTHS } from './bins.ts';
import type { Trigger } from './policy.ts';

/** The last gaps of a function, as bins; -1 where there was none yet. */
export type Context = { readonly last: number; readonly before: number; readonly scheduled: boolean; readonly trigger: Trigger };

export class Population {
  /** Calls and minutes of each cell, one table after another. */
  readonly #calls = new Float64Array(CELLS);
  readonly #minutes = new Float64Array(CELLS);
  #known = 0;

  /** The chance, for each bin, that the call comes in it when it has not come before. `into` has `bins` places. */
  chances(context: Context, into: Float64Array, bins = BINS): void {
    const row = PROPORTIONS + rowOf(context);
    const toClass = CLASSES - PROPORTIONS + classOf(context.trigger) * PER_TABLE;
    const calls = this.#calls;
    const minutes = this.#minutes;
    for (let bin = 0; bin < bins; bin++) {
      const size = SIZES[bin]!;
      const cell = row + cellOf(context, bin);
      const ofClass = cell + toClass;
      let rate = (calls[size]! + LEAN_ALL * UNKNOWN[bin]!) / (minutes[size]! + LEAN_ALL);
      const shape = SHAPE_OF[cell - PROPORTIONS]!;
      if (shape >= 0) rate = (calls[shape]! + LEAN_SHAPE * rate) / (minutes[shape]! + LEAN_SHAPE);
      rate = (calls[cell]! + LEAN_PROPORTION * rate) / (minutes[cell]! + LEAN_PROPORTION);
      rate = (calls[ofClass]! + LEAN_CLASS * rate) / (minutes[ofClass]! + LEAN_CLASS);
      const asked = ASKED[bin]!;
      into[bin] = asked === 1 ? rate : 1 - (1 - Math.min(rate, MOST)) ** asked;
    }
  }

  /**
   * A gap has ended with a call in `bin`; or, `censored`, it is only known that none came before. `from`: a trace in minutes says nothing
   * about bins before that.
   */
  learn(context: Context, bin: number, censored: boolean, from = SHORT): void {
    const row = rowOf(context);
    const atClass = CLASSES + classOf(context.trigger) * PER_TABLE;
    const most = Math.min(bin, BINS - 1);
    for (let at = from; at <= most; at++) {
      const cell = row + cellOf(context, at);
      const ends = at === bin;
      // Within the bin that it ends in it was waited for half of the time, but a bin of one minute is one question.
      const minutes = ends ? (censored ? 0 : (ASKED[at]! + 1) / 2) : ASKED[at]!;
      const calls = ends && !censored ? 1 : 0;
      this.#add(SIZES[at]!, calls, minutes);
      const shape = SHAPE_OF[cell]!;
      if (shape >= 0) this.#add(shape, calls, minutes);
      this.#add(PROPORTIONS + cell, calls, minutes);
      this.#add(atClass + cell, calls, minutes);
    }
    if (++this.#known >= FORGET_AFTER) this.#forget();
  }

  /** As bytes: of each cell that has something in it, its number, its calls, its minutes. */
  save(): Uint8Array {
    const used: number[] = [];
    for (let cell = 0; cell < CELLS; cell++) if (this.#minutes[cell]! > 0) used.push(cell);
    const view = new DataView(new ArrayBuffer(HEAD_BYTES + used.length * CELL_BYTES));
    view.setUint32(0, FORM);
    view.setUint32(4, this.#known);
    used.forEach((cell, i) => {
      const at = HEAD_BYTES + i * CELL_BYTES;
      view.setUint16(at, cell);
      view.setFloat32(at + 2, this.#calls[cell]!);
      view.setFloat32(at + 6, this.#minutes[cell]!);
    });
    return new Uint8Array(view.buffer);
  }

  /** Takes the place of what is known. False: these bytes are not a saved population, and nothing has changed. */
  load(saved: Uint8Array): boolean {
    const view = new DataView(saved.buffer, saved.byteOffset, saved.byteLength);
    const cells = (saved.byteLength - HEAD_BYTES) / CELL_BYTES;
    if (!Number.isInteger(cells) || cells < 0 || cells > CELLS || view.getUint32(0) !== FORM) return false;
    const read = Array.from({ length: cells }, (_, i) => readCell(view, HEAD_BYTES + i * CELL_BYTES));
    if (!read.every(plausible)) return false;
    this.#calls.fill(0);
    this.#minutes.fill(0);
    this.#known = view.getUint32(4);
    for (const { cell, calls, minutes } of read) {
      this.#calls[cell] = calls;
      this.#minutes[cell] = minutes;
    }
    return true;
  }

  #add(cell: number, calls: number, minutes: number): void {
    this.#calls[cell]! += calls;
    this.#minutes[cell]! += minutes;
  }

  #forget(): void {
    this.#known /= 2;
    for (let cell = 0; cell < CELLS; cell++) {
      this.#calls[cell]! /= 2;
      this.#minutes[cell]! /= 2;
    }
  }
}

function readCell(view: DataView, at: number): Cell {
  return { cell: view.getUint16(at), calls: view.getFloat32(at + 2), minutes: view.getFloat32(at + 6) };
}

function plausible({ cell, calls, minutes }: Cell): boolean {
  return cell < CELLS && calls >= 0 && minutes > 0 && calls <= minutes && Number.isFinite(minutes);
}

type Cell = { readonly cell: number; readonly calls: number; readonly minutes: number };

/** How the last two gaps lie to each other. */
function rowOf({ last, before, scheduled }: Context): number {
  return (scheduled ? ROWS.scheduled : last < 0 ? ROWS.first : before < 0 ? ROWS.second : alike(last, before)) * PER_ROW;
}

function alike(last: number, before: number): number {
  const apart = Math.abs(last - before);
  return apart === 0 ? ROWS.same : apart === 1 ? ROWS.near : ROWS.different;
}

function cellOf({ last, before }: Context, bin: number): number {
  return proportion(last, bin) * SIZE_COUNT * 2 + SIZES[bin]! * 2 + (bin === before ? 1 : 0);
}

function proportion(last: number, bin: number): number {
  if (last < 0) return PROPORTION.none;
  if (bin === last) return PROPORTION.same;
  if (bin === last - 1) return PROPORTION.justBefore;
  if (bin === last + 1) return PROPORTION.justAfter;
  if (bin < last) return PROPORTION.before;
  return bin === TWICE[last] ? PROPORTION.twice : PROPORTION.after;
}

/** People, clocks, and machines that pass on what others began. */
function classOf(trigger: Trigger): number {
  return trigger === 'timer' ? 0 : trigger === 'http' ? 1 : 2;
}

const ROWS = { first: 0, second: 1, same: 2, near: 3, different: 4, scheduled: 5 } as const;
const PROPORTION = { none: 0, same: 1, justBefore: 2, justAfter: 3, before: 4, after: 5, twice: 6 } as const;
const PER_ROW = 7 * SIZE_COUNT * 2;
const PER_TABLE = 6 * PER_ROW;
const CLASS_COUNT = 3;
const PROPORTIONS = SIZE_COUNT;
const CLASSES = PROPORTIONS + PER_TABLE;
const SHAPES = CLASSES + CLASS_COUNT * PER_TABLE;
const CELLS = SHAPES + 6 * 7 * 2;

/** Of each cell by proportion, that of the same proportion to the last gap at any length; -1 where length matters more. */
const SHAPE_OF = Int32Array.from({ length: PER_TABLE }, (_, cell) => {
  const [row, proportion] = [Math.floor(cell / PER_ROW), Math.floor((cell % PER_ROW) / (SIZE_COUNT * 2))];
  const telling = proportion !== PROPORTION.none && proportion !== PROPORTION.before && proportion !== PROPORTION.after;
  return telling || cell % 2 === 1 ? SHAPES + (row * 7 + proportion) * 2 + (cell % 2) : -1;
});

/** How many minutes a bin is waited for; the short one is one question too. */
const ASKED = WIDTHS.map((width) => Math.max(1, width));
/** The bin of twice a bin's gap; what two days don't hold is no bin. */
const TWICE = Uint8Array.from({ length: BINS }, (_, bin) => binOf((EDGES[bin]! + EDGES[bin + 1]!) * MINUTE_MS));

/** In minutes: with as many waited for, a cell is believed as much as the one above it. */
const LEAN_ALL = 50;
const LEAN_SHAPE = 20;
const LEAN_PROPORTION = 50;
const LEAN_CLASS = 20;
/** Calls in a minute when nothing at all is known: fewer, the longer none came. */
const UNKNOWN = Float64Array.from({ length: BINS }, (_, bin) => 0.15 / Math.max(1, EDGES[bin]! + 0.5));
const MOST = 0.9999;
/** Gaps, after which what is known counts half: a host's traffic changes. */
const FORGET_AFTER = 1_000_000;
const FORM = 0x48505031;
const HEAD_BYTES = 8;
const CELL_BYTES = 10;
