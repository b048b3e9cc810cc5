/**
 * Why an invocation got the instance that it got, in the words of docs/tracing.md. Of warm starts no more is noted than one of a few
 * constants; of the others how each came to be, step by step.
 */
import type { Placement } from '../policy/mod.ts';
import { hundredths } from '../ports/mod.ts';
import type { Instance, SandboxSpec, Start, StartKind, Step, Template } from '../ports/mod.ts';
import { blockerText } from '../protocol/mod.ts';
import type { Member } from './member.ts';

/** What an invocation in line waits for. */
export type Wait = 'a busy one' | 'a boot' | 'the function limit' | 'the account limit' | 'the host limit';

/** What is waited for where there is no instance to be had. */
export const WAITS = {
  boot: 'a boot',
  waitForBoot: 'a boot',
  waitForReservation: 'the function limit',
  waitForFunction: 'the function limit',
  waitForAccount: 'the account limit',
  waitForHost: 'the host limit',
} as const satisfies Partial<Record<Placement, Wait>>;

/** Of a template or an instance that nobody waits for, because so many are to be kept. */
export const KEPT_AHEAD = 'kept ahead';

/** The same, because a call is expected. */
export const EXPECTED = 'expected';

export type AheadCause = typeof KEPT_AHEAD | typeof EXPECTED;

/** Why a template is booted. */
export type BootCause =
  | AheadCause
  | 'no call was expected'
  | 'first call'
  | 'deployed'
  | 'earlier boot failed'
  | 'template was lost'
  | 'template had rested'
  | 'template made room';

/** Why an instance is forked: without a wait, or after one. */
export type ForkCause =
  | 'no instance'
  | 'all busy'
  | 'the line was long'
  | 'the line was full'
  | 'waited as long as a start takes'
  | LimitCause;

type LimitCause = `waited for ${Exclude<Wait, 'a boot' | 'a busy one'>}`;

const made = (kind: StartKind, cause: string, detail?: string, steps?: readonly Step[]): Start => ({ kind, cause, detail, steps });

export const WARM = {
  idle: made('warm', 'idle'),
  room: made('warm', 'room beside others'),
  handedAhead: made('warm', 'handed ahead'),
  'a busy one': made('warm', 'waited for a busy one'),
  'the function limit': made('warm', 'waited for the function limit'),
  'the account limit': made('warm', 'waited for the account limit'),
  'the host limit': made('warm', 'waited for the host limit'),
} as const;

/** `running`: invocations that the instance runs already. */
export function warmStart(waitedFor: Wait | undefined, running: number): Start {
  if (waitedFor === undefined) return running === 0 ? WARM.idle : WARM.room;
  // It waited for a boot, and an instance of the template before came free.
  return waitedFor === 'a boot' ? WARM['a busy one'] : WARM[waitedFor];
}

/** `instances`: those that there are beside the new one. */
export function forkCause(waitedFor: Wait | undefined, instances: number): ForkCause {
  if (waitedFor === undefined || waitedFor === 'a boot') return instances === 0 ? 'no instance' : 'all busy';
  return waitedFor === 'a busy one' ? 'the line was long' : `waited for ${waitedFor}`;
}

/** How something came to be, in monotonic time. */
export type Story = { readonly cause: string; readonly steps: readonly Step[] };
/** How a template was booted. */
export type BootStory = Story & { readonly cause: BootCause };

export type NewInstance = {
  readonly arrivedMs: number;
  readonly waited: boolean;
  readonly decidedMs: number;
  readonly cause: ForkCause;
  /** The boot that was waited for. */
  readonly boot: BootStory | undefined;
  readonly instance: Instance;
  readonly blockers: Template['blockers'];
  readonly snapshot: SandboxSpec['snapshot'];
};

/** A start on a new instance, its steps in monotonic time as far as they are known; `finished` adds the others. */
export function newStart({ arrivedMs, waited, decidedMs, cause, boot, instance, blockers, snapshot }: NewInstance): Start {
  const steps = [...arrival(arrivedMs, waited), ...(boot?.steps ?? []), { name: 'decided', atMs: decidedMs }];
  if (boot) return made(instance.start === 'spawn' ? 'spawn' : 'boot', boot.cause, undefined, steps);
  if (instance.start !== 'boot') return made(instance.start, cause, undefined, steps);
  if (snapshot === 'never') return made('boot', 'forks are switched off', undefined, steps);
  return made('boot', 'init cannot be shared', blockers.map(blockerText).join('; ').slice(0, DETAIL_LENGTH), steps);
}

/** What blocks is told by the sandbox. */
const DETAIL_LENGTH = 400;

/** The invocation waited for a boot that has failed. */
export function failedStart(kind: 'boot' | 'spawn', arrivedMs: number, boot: BootStory): Start {
  return made(kind, boot.cause, undefined, [...arrival(arrivedMs, true), ...boot.steps]);
}

/** An instance that was made for nobody. */
export function aheadStart(kind: StartKind, cause: AheadCause): Start {
  return made(kind, cause);
}

/** A start without an invocation. */
export function loneStart(kind: StartKind, { cause, steps }: Story, last: Step): Start {
  return finished(made(kind, cause, undefined, steps), [], steps[0]!.atMs, last);
}

function arrival(atMs: number, waited: boolean): Step[] {
  return waited
    ? [
        { name: 'arrived', atMs },
        { name: 'queued', atMs },
      ]
    : [{ name: 'arrived', atMs }];
}

/** With all that is known of how its instance came to be, when its first invocation has ended, or failed to begin. */
export function ended(start: Start, member: Member | undefined, fromMs: number, nowMs: number): Start {
  return finished(start, member?.instance.takeSteps() ?? [], fromMs, { name: member ? 'ended' : 'boot failed', atMs: nowMs });
}

/** All steps, counted from `fromMs`. */
function finished(start: Start, more: readonly Step[], fromMs: number, last: Step): Start {
  const steps = [...start.steps!, ...more].sort((a, b) => a.atMs - b.atMs);
  const counted = [...steps, last].map(({ name, atMs }) => ({ name, atMs: hundredths(atMs - fromMs) }));
  return made(start.kind, start.cause, start.detail, counted);
}
