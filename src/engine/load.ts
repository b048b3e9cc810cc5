/** How many invocations of a pool run or wait, on average over time. Constant time, and nothing is allocated. */
export class Load {
  #level = 0;
  #sinceMs = 0;
  #changedMs = 0;
  /** Of levels and the times that they held. */
  #area = 0;

  /** Forgets what was, of which nobody wants to know. */
  begin(nowMs: number): void {
    this.#sinceMs = this.#changedMs = nowMs;
    this.#area = 0;
  }

  change(level: number, nowMs: number): void {
    this.#area += this.#level * (nowMs - this.#changedMs);
    this.#changedMs = nowMs;
    this.#level = level;
  }

  get level(): number {
    return this.#level;
  }

  /** The average since it was asked for last, or `begin`. */
  take(nowMs: number): number {
    this.change(this.#level, nowMs);
    const average = nowMs > this.#sinceMs ? this.#area / (nowMs - this.#sinceMs) : this.#level;
    this.begin(nowMs);
    return average;
  }
}
