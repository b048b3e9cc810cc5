import type { WarmTag } from './warm-tag.ts';

/** What is kept of a function now, why, and what that costs, as Hearth's own API shows it. */
export type WarmReport = {
  readonly functionName: string;
  readonly versions: readonly VersionWarmth[];
  readonly schedules: readonly ScheduleReport[];
};

/** Which policy decides, in what time, and what it has learnt from all functions: all that a simulator of it needs to know. */
export type WarmingReport = {
  readonly policy: string;
  /** The policy's time over real time. */
  readonly speed: number;
  /** Of `fixed`, in the policy's time; and of `hazard`. */
  readonly keepMs: number;
  readonly priceMiBSeconds: number;
  /** As the policy saves it, in base64. */
  readonly shared: string;
};

/** Of a version that is kept, has been started, or is to be kept. */
export type VersionWarmth = {
  readonly version: string;
  /** The aliases that lead to it. */
  readonly aliases: readonly string[];
  readonly instances: { readonly idle: number; readonly busy: number; readonly queued: number };
  /** How many there are to be now, and what asks for that: the largest of these decides. `load`: what there was to do. */
  readonly wanted: number;
  readonly because: { readonly minimum: number; readonly scheduled: number; readonly provisioned: number; readonly load: number };
  readonly maximum: number | null;
  /** Invocations that one runs at a time. */
  readonly concurrency: number;
  readonly capacityClass: string;
  readonly labels: readonly string[];
  /** Why some that are wanted are missing. */
  readonly failure: string | null;
  /** What an instance may take at most, and all that there are. */
  readonly memoryMiB: number;
  readonly heldMiB: number;
  readonly invocations: number;
  readonly throttles: number;
  /** Invocations that provisioned instances took, and those beyond. */
  readonly provisionedInvocations: number;
  readonly spilloverInvocations: number;
  /** By kinds of start and by their causes, as docs/tracing.md names them. Since this version was first called, or the platform started. */
  readonly starts: Readonly<Record<string, number>>;
  readonly causes: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** What the warming policy makes of it; null: it was never called. */
  readonly policy: PolicyWarmth | null;
};

/** Times are epoch milliseconds; null: later than is looked ahead, or without end. */
export type PolicyWarmth = {
  readonly name: string;
  /** What there is now: an instance, the template to fork one from, or nothing. */
  readonly held: Rung;
  readonly reason: string;
  readonly calls: number;
  readonly lastCallMs: number | null;
  /** When the next call comes, as far as is known. */
  readonly next: { readonly p10Ms: number | null; readonly medianMs: number | null; readonly p90Ms: number | null } | null;
  readonly plan: readonly { readonly atMs: number; readonly rung: Rung }[];
  /** The numbers behind it: what holding pays and costs in each stretch of time, in MiB seconds. */
  readonly stretches: readonly {
    readonly rung: Rung;
    readonly fromMs: number;
    readonly untilMs: number | null;
    readonly chance: number;
    readonly savingMiBSeconds: number;
    readonly costMiBSeconds: number | null;
  }[];
  /** As measured. `heldMiB`: of what is held now. */
  readonly instanceMiB: number;
  readonly templateMiB: number | null;
  readonly instanceSavesMs: number;
  readonly templateSavesMs: number | null;
  readonly heldMiB: number;
};

/** What a function can be held at, each a start cheaper than the next: an idle instance, a template to fork from, nothing. */
export type Rung = 'instance' | 'template' | 'nothing';

export type ScheduleReport = WarmTag & {
  /** Whether the qualifier leads anywhere. */
  readonly known: boolean;
  readonly open: boolean;
  /** When it next opens, or closes. */
  readonly changesMs: number | null;
};
