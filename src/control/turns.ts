/** Changes of one record come one after another; of different ones, at the same time. */
export class Turns {
  /** The last change of each record that is still going on. */
  readonly #running = new Map<string, Promise<unknown>>();
  /** Records of which a commit failed: what the store has of them must be read before the next change. */
  readonly #uncertain = new Set<string>();
  readonly #reload: (name: string) => Promise<void>;

  constructor(reload: (name: string) => Promise<void>) {
    this.#reload = reload;
  }

  /** Whether all that is in memory is what the store has. */
  get certain(): boolean {
    return this.#uncertain.size === 0;
  }

  /** A commit that failed may be stored all the same, or have met a change by someone else. */
  doubt(name: string): void {
    this.#uncertain.add(name);
  }

  async take<R>(name: string, run: () => Promise<R>): Promise<R> {
    const before = this.#running.get(name);
    const start = async () => {
      if (this.#uncertain.has(name)) {
        await this.#reload(name);
        this.#uncertain.delete(name);
      }
      return run();
    };
    const turn = before ? before.then(start, start) : start();
    this.#running.set(name, turn);
    try {
      return await turn;
    } finally {
      if (this.#running.get(name) === turn) this.#running.delete(name);
    }
  }
}
