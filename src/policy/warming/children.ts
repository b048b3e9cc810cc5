/**
 * Which function calls which: learnt from what begins within half a minute after another function of its application, or told by
 * whoever knows the caller. A parent's start is then the moment at which its children are expected.
 */
export class Children {
  readonly #links = new Map<string, Link>();
  #starts = 0;
  #startedMs = -Infinity;

  /** The parent has been called. A call while its children are still expected is the same occasion. */
  started(atMs: number): void {
    if (atMs - this.#startedMs < EXPECTED_MS) return;
    this.#startedMs = atMs;
    if (++this.#starts > MOST_STARTS) this.#halve();
  }

  /** Another function of the application, which last was called at `lastMs`, has been called. `told`: it is known that this one called it. */
  followed(child: string, atMs: number, told: boolean): void {
    if (!told && (atMs - this.#startedMs > EXPECTED_MS || this.#starts === 0)) return;
    const link = this.#links.get(child);
    if (link === undefined) {
      if (this.#links.size < MOST_CHILDREN || this.#dropRarest()) this.#links.set(child, { calls: 1, countedMs: this.#startedMs });
    } else if (link.countedMs !== this.#startedMs) {
      link.calls++;
      link.countedMs = this.#startedMs;
    }
  }

  /** The chance that a start of the parent is followed by a call of each child, where it is known from more than a few. */
  expected(): readonly { readonly id: string; readonly chance: number }[] {
    if (this.#starts < FEW || this.#links.size === 0) return NONE;
    return [...this.#links].map(([id, link]) => ({ id, chance: link.calls / (this.#starts + 1) }));
  }

  /** As what JSON can hold. */
  save(): SavedChildren {
    return { starts: this.#starts, links: [...this.#links].map(([id, { calls }]) => [id, calls]) };
  }

  load({ starts, links }: SavedChildren): void {
    this.#starts = starts;
    for (const [id, calls] of links.slice(0, MOST_CHILDREN)) this.#links.set(id, { calls, countedMs: -Infinity });
  }

  #halve(): void {
    this.#starts /= 2;
    for (const [id, link] of this.#links) {
      link.calls /= 2;
      if (link.calls < 1) this.#links.delete(id);
    }
  }

  /** Makes room where somebody was there by chance. */
  #dropRarest(): boolean {
    for (const [id, { calls }] of this.#links) if (calls < 2) return this.#links.delete(id);
    return false;
  }
}

export type SavedChildren = { readonly starts: number; readonly links: readonly (readonly [id: string, calls: number])[] };
type Link = { calls: number; countedMs: number };

export const EXPECTED_MS = 30_000;
const MOST_CHILDREN = 8;
const MOST_STARTS = 256;
const FEW = 3;
const NONE: readonly never[] = [];
