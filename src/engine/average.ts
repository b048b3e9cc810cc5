/** How much the latest value weighs. */
const ALPHA = 0.1;

/** An exponentially weighted average without a made-up start: the first values weigh as much as there are of them. */
export class Average {
  value: number | undefined;
  #weight = 0;

  add(sample: number): void {
    this.#weight += ALPHA * (1 - this.#weight);
    this.value = this.value === undefined ? sample : this.value + (sample - this.value) * (ALPHA / this.#weight);
  }
}
