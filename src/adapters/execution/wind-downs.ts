import type { Environment } from './environment.ts';

/** At a time. Whoever comes when there are so many is ended at once. */
const WIND_DOWNS = 100;

/** Environments that come to their end while nobody waits for them. */
export class WindDowns {
  readonly #under = new Set<Promise<void>>();

  /** Brings an environment to its end, with the time that its extensions have for that; `end` ends what is left of its processes. */
  begin(environment: Environment, wanted: boolean, end: () => void): void {
    if (environment.windDownMs === 0 || this.#under.size >= WIND_DOWNS) {
      environment.close();
      end();
      return;
    }
    const under = environment.windDown(wanted).finally(() => {
      this.#under.delete(under);
      environment.close();
      end();
    });
    this.#under.add(under);
  }

  /** Resolves when all that is under way has come to its end. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#under);
  }
}
