import type { Timer } from '../kernel/mod.ts';
import { bootRetryDelayMs, shortageOf } from '../policy/mod.ts';
import type { Need, Shortage } from '../policy/mod.ts';
import type { KeptStats } from './engine.ts';
import type { Fleet } from './fleet.ts';
import type { Host } from './host.ts';
import type { Member } from './member.ts';
import { KEPT_AHEAD } from './starts.ts';
import type { BootOutcome, TemplateSlot } from './template-slot.ts';
import type { Unasked } from './unasked.ts';

export type UpkeepOptions = {
  readonly label: string;
  readonly host: Host;
  readonly template: TemplateSlot;
  readonly fleet: Fleet;
  /** What one more takes. */
  readonly need: () => Need;
  /** Invocations that wait: an instance is theirs first. */
  readonly waiting: () => number;
  readonly unasked: Unasked;
};

/** Behind those that somebody waits for: no faster than instances are forked. */
const FORKS_AT_ONCE = 4;
const FORKS_EVERY_MS = 10;
/** Room comes when others leave: it is looked for now and then. */
const ROOM_EVERY_MS = 5_000;
/** After so many failures in a row it is given up. One that comes so long after the last begins another row. */
const MOST_FAILURES = 10;
const ROW_MS = 60_000;

/**
 * Brings the number of instances up to what is wanted, a few at a time, and again when some are lost: later and later when they end before
 * anybody used them, and at some time not any more. What is beyond what is wanted grows old and goes by itself.
 */
export class Upkeep {
  readonly #options: UpkeepOptions;
  #wanted = 0;
  #failures = 0;
  #failedMs = -Infinity;
  #reason: string | undefined;
  #timer: Timer | undefined;
  #stopped = false;

  constructor(options: UpkeepOptions) {
    this.#options = options;
  }

  /** Why some are missing, if some are. */
  get failure(): KeptStats['failure'] {
    if (this.#reason === undefined || this.#options.fleet.size - this.#options.fleet.booting >= this.#wanted) return undefined;
    return { reason: this.#reason, givenUp: this.#givenUp };
  }

  get #givenUp(): boolean {
    return this.#failures >= MOST_FAILURES;
  }

  want(count: number): void {
    this.#stopped = false;
    this.#wanted = count;
    this.#options.fleet.keep(count);
    this.check();
  }

  /** What failed may not do so again: there is a reason to think so. */
  anew(): void {
    this.#failures = 0;
    this.#reason = undefined;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.check();
  }

  check(): void {
    const { host, template, fleet } = this.#options;
    if (fleet.size >= this.#wanted && this.#failures === 0) this.#reason = undefined;
    if (this.#stopped || host.draining || this.#timer || this.#givenUp || fleet.size >= this.#wanted) return;
    switch (template.stage) {
      case 'booting':
        return;
      case 'none':
        return template.boot(KEPT_AHEAD);
      case 'failed':
        return template.mayRetry() ? template.boot(KEPT_AHEAD) : this.#later(bootRetryDelayMs(1));
      case 'ready':
        return this.#fork();
    }
  }

  /** The same, when what is going on now is over. */
  soon(): void {
    if (this.#options.fleet.size < this.#wanted) this.#later(0);
  }

  /** A boot has ended, whoever had ordered it. */
  booted(outcome: BootOutcome): void {
    if (outcome.ok) return this.check();
    if (this.#options.fleet.size < this.#wanted) this.#failed(reasonOf(outcome.failure));
  }

  /** One has ended by itself. */
  lost(member: Member): void {
    if (!member.used) this.#failed('an instance ended before its first invocation');
  }

  /** An invocation has come to a good end: so can others. */
  succeeded(): void {
    if (this.#failures > 0) this.anew();
  }

  /** Until `want`. */
  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#wanted = 0;
    this.#options.fleet.keep(0);
  }

  #fork(): void {
    const { host, template, fleet, need, waiting, unasked } = this.#options;
    const { forks } = template.template!;
    if (waiting() > 0) return this.#later(FORKS_EVERY_MS);
    const atOnce = forks ? FORKS_AT_ONCE : host.limits.processors - fleet.booting;
    for (let more = Math.min(this.#wanted - fleet.size, atOnce); more > 0; more--) {
      const shortage = shortageOf(need(), host.room);
      if (shortage !== undefined) {
        this.#reason = `there is no room: ${NO_ROOM[shortage]}`;
        return this.#later(ROOM_EVERY_MS);
      }
      if (!unasked.fork(host.clock.monotonicMs(), KEPT_AHEAD)) return this.#failed('an instance could not be forked');
    }
    // Those with an init of their own say themselves when they are through with it.
    if (forks && fleet.size < this.#wanted) this.#later(FORKS_EVERY_MS);
  }

  #later(delayMs: number): void {
    if (this.#stopped) return;
    this.#timer ??= this.#options.host.clock.after(delayMs, () => {
      this.#timer = undefined;
      this.check();
    });
  }

  #failed(reason: string): void {
    const { host, label } = this.#options;
    const nowMs = host.clock.monotonicMs();
    if (nowMs - this.#failedMs > ROW_MS) this.#failures = 0;
    this.#failedMs = nowMs;
    this.#failures++;
    this.#reason = reason;
    if (this.#givenUp) host.platformLog.error({ function: label, reason }, 'instances that should be kept are given up');
    else this.#later(bootRetryDelayMs(this.#failures));
  }
}

const NO_ROOM: Readonly<Record<Shortage, string>> = {
  instances: 'the node has as many instances as it may have',
  memory: 'the node has no memory left for one more',
  processes: 'the node has no room for more processes',
};

function reasonOf(failure: Extract<BootOutcome, { ok: false }>['failure']): string {
  if (failure.kind === 'platform') return failure.message;
  const init = failure.failure;
  switch (init.kind) {
    case 'failed':
      return `init failed: ${init.error.errorType}: ${init.error.errorMessage}`;
    case 'exited':
      return 'init ended the process';
    case 'timedOut':
      return `init took longer than ${init.initMs} ms`;
  }
}
