import { fastClock } from '../kernel/mod.ts';
import type { Clock } from '../kernel/mod.ts';
import type { FunctionWarming, WarmedFunction, WarmingPolicy } from '../policy/mod.ts';

/** What functions have been, so that it outlives the host: by their labels, and what they have in common. */
export type WarmingState = { readonly shared?: Uint8Array; readonly functions: ReadonlyMap<string, Uint8Array> };

export type WarmingOptions = {
  readonly policy: WarmingPolicy;
  /** What `Engine.takeWarmingChanges` gave before. What can't be read is not used. */
  readonly saved?: WarmingState;
  /** The policy's time over the host's, for a trace that is driven in less time than it took. Default 1. */
  readonly speed?: number;
};

/** What has to be told of a function, and who carries its plan out. */
export type Planner = { replan(): void };

/**
 * What a host's warming policy knows, by function version: deployments come and go with each change of their code, and who calls them does
 * not change with that.
 */
export class Warming {
  readonly policy: WarmingPolicy;
  /** The time that the policy lives in. At speed 1 it is the host's own clock. */
  readonly clock: Clock;
  readonly speed: number;
  readonly #saved: Map<string, Uint8Array>;
  readonly #functions = new Map<string, FunctionWarming>();
  readonly #planners = new Map<string, Planner>();
  /** Those that have been called since they were saved last. */
  readonly #changed = new Set<string>();

  constructor({ policy, saved, speed = 1 }: WarmingOptions, clock: Clock) {
    this.policy = policy;
    this.speed = speed;
    this.clock = speed === 1 ? clock : fastClock(clock, speed);
    this.#saved = new Map(saved?.functions);
    if (saved?.shared) policy.load(saved.shared);
  }

  /** Whether anything is known of a function that could make it worth holding. */
  knows(id: string): boolean {
    return this.#functions.has(id) || this.#saved.has(id);
  }

  /** From now on `planner` carries out what is planned for it. */
  open(subject: WarmedFunction, planner: Planner): FunctionWarming {
    const { id } = subject;
    this.#planners.set(id, planner);
    let known = this.#functions.get(id);
    if (known) known.update(subject);
    else {
      known = this.policy.open(subject, this.#saved.get(id));
      this.#saved.delete(id);
      this.#functions.set(id, known);
    }
    return known;
  }

  called(id: string): void {
    this.#changed.add(id);
  }

  /** Others are expected: their plans are other ones now. */
  expect(ids: readonly string[]): void {
    for (const id of ids) this.#planners.get(id)?.replan();
  }

  /** Its deployment is gone; what is known of the function stays, for the next one. */
  leave(id: string, planner: Planner): void {
    if (this.#planners.get(id) === planner) this.#planners.delete(id);
  }

  /** A function is gone, with all its versions. */
  forget(functionName: string): readonly string[] {
    const gone = [...this.#functions.keys(), ...this.#saved.keys()].filter((id) => id.slice(0, id.lastIndexOf(':')) === functionName);
    for (const id of gone) {
      this.#functions.get(id)?.close();
      for (const known of [this.#functions, this.#saved, this.#planners, this.#changed]) known.delete(id);
    }
    return gone;
  }

  /** What has changed since this was asked last. */
  takeChanges(): WarmingState {
    const functions = new Map([...this.#changed].map((id) => [id, this.#functions.get(id)!.save()]));
    this.#changed.clear();
    return { ...(functions.size > 0 && { shared: this.policy.save() }), functions };
  }
}
