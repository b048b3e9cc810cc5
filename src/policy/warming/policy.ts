/**
 * What a warming policy is: told of every call, and asked, whenever a function has become idle, what is to be held of it until when.
 * A policy has no clock, no timer and no randomness. All times are milliseconds since the epoch, as schedules and restarts need them.
 * The live warmer and the simulator speak to the same objects.
 */
import type { Rung } from '../../protocol/mod.ts';

export type { Rung };

/** The sources a call can come from, as far as they behave alike. */
export const TRIGGERS = ['http', 'timer', 'event', 'queue', 'orchestration', 'storage', 'others'] as const;
export type Trigger = (typeof TRIGGERS)[number];

/** What it costs to hold a rung, and what it saves the next call against having nothing. */
export type RungCost = { readonly memoryMiB: number; readonly savedMs: number };

/** A function as a policy sees it. `memoryMiB` of the instance is what is held beside the template, if there is one. */
export type WarmedFunction = {
  readonly id: string;
  /** Functions of one application may call each other. */
  readonly app: string;
  readonly trigger: Trigger;
  readonly instance: RungCost;
  readonly template?: RungCost;
  readonly schedule?: KnownSchedule;
};

/** A schedule that somebody declared. Calls come at `nextMs`, or up to `jitterMs` later. */
export type KnownSchedule = {
  /** The first time after `afterMs`; undefined: none any more. */
  readonly nextMs: (afterMs: number) => number | undefined;
  readonly jitterMs: number;
};

export type Call = {
  readonly atMs: number;
  /** Nothing was held for it. */
  readonly cold: boolean;
  /** The function that made the call, where that is known. Otherwise the policy may learn it from what comes together. */
  readonly parent?: string;
};

/** From `atMs` on that rung is held, until the next step. Steps are in order of time; the first is not later than the question. */
export type Step = { readonly atMs: number; readonly rung: Rung };
export type Plan = readonly Step[];
/** A plan has no more steps than that. */
export const MAX_STEPS = 32;

/** A policy is opened once for a host; it keeps what all functions have in common. */
export interface WarmingPolicy {
  readonly name: string;
  readonly eviction: EvictionOrder;
  /** What the policy knows of one function. `saved`: what `FunctionWarming.save` gave before a restart; what can't be read is not used. */
  open(subject: WarmedFunction, saved?: Uint8Array): FunctionWarming;
  /** What it has learnt from all functions. At most `MAX_SHARED_BYTES`. */
  save(): Uint8Array;
  /** Takes it again. False: these bytes are not that, and nothing has changed. */
  load(saved: Uint8Array): boolean;
}

export interface FunctionWarming {
  /**
   * A call has begun. Returns the functions that are now expected for that reason, and whose plans are to be asked for again;
   * mostly none.
   */
  called(call: Call): readonly string[];
  /**
   * What to hold from now on while no call comes. The last rung is held until there is another plan. Whoever carries out a plan of more
   * than one step asks again when its last one is reached.
   */
  plan(nowMs: number): Plan;
  explain(nowMs: number): Explanation;
  /** The function's memory, schedule or start times are others now. */
  update(subject: WarmedFunction): void;
  /** At most `MAX_STATE_BYTES`. */
  save(): Uint8Array;
  /** It is gone. */
  close(): void;
}

export const MAX_STATE_BYTES = 8 * 1024;
export const MAX_SHARED_BYTES = 128 * 1024;

/** The numbers behind a plan. */
export type Explanation = {
  readonly policy: string;
  readonly reason: string;
  readonly calls: number;
  readonly lastCallMs: number | undefined;
  /** When the next call comes, as far as is known; undefined: too little is. */
  readonly next: { readonly p10Ms: number; readonly medianMs: number; readonly p90Ms: number } | undefined;
  /** Each stretch of the plan: the chance that the next call comes in it, and what that saves against what holding costs, in MiB s. */
  readonly stretches: readonly Stretch[];
};

export type Stretch = {
  readonly rung: Rung;
  readonly fromMs: number;
  /** Infinity: until there is another plan. */
  readonly untilMs: number;
  readonly chance: number;
  readonly savingMiBSeconds: number;
  readonly costMiBSeconds: number;
};

/** Who goes first when memory runs out. */
export const EVICTION_ORDERS = ['value', 'lru', 'greedy-dual'] as const;
export type EvictionOrder = (typeof EVICTION_ORDERS)[number];
