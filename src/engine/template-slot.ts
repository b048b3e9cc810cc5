import { HearthError } from '../kernel/mod.ts';
import type { Timer } from '../kernel/mod.ts';
import { bootRetryDelayMs } from '../policy/mod.ts';
import type { CapacityClass, Need, TemplateStage } from '../policy/mod.ts';
import type { BootListener, BootResult, InitFailure, SandboxSpec, Step, Template } from '../ports/mod.ts';
import type { Turn } from './boot-line.ts';
import type { Snapshot } from './engine.ts';
import { Average } from './average.ts';
import { Holding } from './holding.ts';
import type { Host } from './host.ts';
import type { BootCause, BootStory } from './starts.ts';

/** Why there is no template: the function's own fault, or the platform's. */
export type BootFailure =
  | { readonly kind: 'init'; readonly failure: InitFailure }
  | { readonly kind: 'platform'; readonly message: string };

export type BootOutcome = { readonly ok: true; readonly template: Template } | { readonly ok: false; readonly failure: BootFailure };

type State =
  | { readonly stage: 'none' }
  | { readonly stage: 'booting' }
  | { readonly stage: 'ready'; readonly template: Template }
  | { readonly stage: 'failed'; readonly failure: BootFailure; readonly retryAtMs: number };

/** Beyond the init's own limit, which the driver enforces; a driver that doesn't must not keep callers waiting for ever. */
const BOOT_GRACE_MS = 10_000;

/** The one template of a deployment: booted at most once at a time, and after a failure not again at once. */
export class TemplateSlot {
  readonly #host: Host;
  readonly #spec: SandboxSpec;
  readonly #need: Need;
  readonly #wanted: () => boolean;
  readonly #listener: BootListener;
  readonly #begun: () => void;
  readonly #settled: (outcome: BootOutcome) => void;
  readonly #lost: () => void;
  readonly #prepared: ((outcome: BootOutcome | undefined) => void)[] = [];
  #state: State = { stage: 'none' };
  /** As the last template had it, also when that is gone. */
  snapshot: Snapshot | undefined;
  #failures = 0;
  /** Tells the boot that is awaited from one that was given up. */
  #attempt = 0;
  #guard: Timer | undefined;
  /** Its place among all boots, while it has one. */
  #turn: Turn | undefined;
  #begunMs = 0;
  readonly #boots = new Average();
  readonly holding: Holding;
  #held = false;
  #going = false;
  #keepAlive: Timer | undefined;
  /** Why the next boot is one, unless it is for a deployment. */
  #why: BootCause = 'first call';
  #cause: BootCause = 'first call';
  #bootedMs = 0;
  #settledSteps: readonly Step[] = [];
  /** Monotonic time since which the template makes no instance and has none; undefined while it is in use. */
  restingSinceMs: number | undefined;

  constructor(options: {
    readonly host: Host;
    readonly spec: SandboxSpec;
    readonly capacityClass: CapacityClass;
    /** Whether anybody waits for it. */
    readonly wanted: () => boolean;
    readonly listener: BootListener;
    /** A boot begins. */
    readonly begun: () => void;
    /** A boot has ended. */
    readonly settled: (outcome: BootOutcome) => void;
    /** A template that was ready is gone, by itself. */
    readonly lost: () => void;
  }) {
    this.#host = options.host;
    this.#spec = options.spec;
    this.#wanted = options.wanted;
    this.holding = new Holding(options.host.room.ledger, options.host.bootKind === 'spawn');
    const { holding } = this;
    this.#need = {
      capacityClass: options.capacityClass,
      get needMiB() {
        return holding.templateMiB;
      },
    };
    this.#listener = options.listener;
    this.#begun = options.begun;
    this.#settled = options.settled;
    this.#lost = options.lost;
  }

  /** It makes an instance. */
  use(): void {
    this.restingSinceMs = undefined;
  }

  /** The last of its instances is gone: it is closed when that stays so for a while. */
  rest(): void {
    if (this.#state.stage !== 'ready') return;
    this.restingSinceMs = this.#host.clock.monotonicMs();
    this.#keepAlive ??= this.#host.clock.after(this.#host.limits.templateKeepAliveMs, () => this.#rested());
  }

  /** As long as that is so, it is not closed for having rested. */
  hold(held: boolean): void {
    this.#held = held;
    if (!held && this.restingSinceMs !== undefined) this.rest();
  }

  #rested(): void {
    this.#keepAlive = undefined;
    if (this.restingSinceMs === undefined || this.#held) return;
    const leftMs = this.restingSinceMs + this.#host.limits.templateKeepAliveMs - this.#host.clock.monotonicMs();
    if (leftMs < 1) this.close('template had rested');
    else this.#keepAlive = this.#host.clock.after(leftMs, () => this.#rested());
  }

  /** What the latest boots took; 0: there was none. One alone may have met a busy machine. */
  get bootMs(): number {
    return this.#boots.value ?? 0;
  }

  get stage(): TemplateStage {
    return this.#state.stage;
  }

  get template(): Template | undefined {
    return this.#state.stage === 'ready' ? this.#state.template : undefined;
  }

  get failure(): BootFailure | undefined {
    return this.#state.stage === 'failed' ? this.#state.failure : undefined;
  }

  mayRetry(): boolean {
    return this.#state.stage === 'failed' && this.#host.clock.monotonicMs() >= this.#state.retryAtMs;
  }

  /** Boots unless a template is there; `undefined`: it was given up meanwhile. */
  prepare(done: (outcome: BootOutcome | undefined) => void): void {
    const { template, failure } = this;
    if (template) return done({ ok: true, template });
    if (failure && !this.mayRetry()) return done({ ok: false, failure });
    this.#prepared.push(done);
    if (this.stage !== 'booting') this.boot('deployed');
  }

  /** The boot that has settled last. */
  get story(): BootStory {
    return { cause: this.#cause, steps: [{ name: 'boot ordered', atMs: this.#bootedMs }, ...this.#settledSteps] };
  }

  boot(cause: BootCause = this.#why): void {
    this.#begun();
    this.#cause = cause;
    this.#bootedMs = this.#host.clock.monotonicMs();
    this.#state = { stage: 'booting' };
    this.#going = false;
    const attempt = ++this.#attempt;
    this.#turn = undefined;
    const turn = this.#host.boots.join(this.#need, () => this.#begin(attempt));
    // It may have come, and the boot have been given up, at once.
    if (attempt === this.#attempt) this.#turn = turn;
    else this.#host.boots.leave(turn);
  }

  #begin(attempt: number): void {
    if (!this.#wanted() && this.#prepared.length === 0) return this.close();
    this.#going = true;
    this.holding.template = true;
    this.#host.watch.wake(false);
    this.#begunMs = this.#host.clock.monotonicMs();
    this.#guard = this.#host.clock.after(this.#spec.initTimeoutMs + BOOT_GRACE_MS, () => {
      this.#finish(attempt, { ok: false, failure: { kind: 'platform', message: 'the sandbox did not come up in time' } });
    });
    this.#host.sandboxes.boot(this.#spec, this.#listener).then(
      (result) => this.#booted(attempt, result),
      (error: unknown) => this.#finish(attempt, { ok: false, failure: { kind: 'platform', message: describe(error) } }),
    );
  }

  /** Whoever waits for it waits for its function's init now, and not for its turn. */
  get isGoing(): boolean {
    return this.#state.stage === 'booting' && this.#going;
  }

  /** Gives the template, or the boot under way, up. */
  close(why: BootCause = this.#why): void {
    this.#why = why;
    this.#attempt++;
    this.#guard?.cancel();
    this.#keepAlive?.cancel();
    this.#keepAlive = undefined;
    const { template } = this;
    this.#leave();
    this.holding.template = false;
    this.#state = { stage: 'none' };
    this.restingSinceMs = undefined;
    template?.close();
    for (const done of this.#prepared.splice(0)) done(undefined);
  }

  #booted(attempt: number, result: BootResult): void {
    if (!result.ok) {
      this.#finish(attempt, { ok: false, failure: { kind: 'init', failure: result.failure } });
      return;
    }
    if (attempt !== this.#attempt) {
      result.template.close();
      return;
    }
    const { template } = result;
    // Before the waiting are told: one that is closed already must not be taken for ready afterwards.
    void template.closed.then(() => this.#gone(template));
    this.#finish(attempt, { ok: true, template });
  }

  #finish(attempt: number, outcome: BootOutcome): void {
    if (attempt !== this.#attempt || this.#state.stage !== 'booting') return;
    this.#guard?.cancel();
    this.#leave();
    if (outcome.ok) {
      this.#failures = 0;
      this.#boots.add(this.#host.clock.monotonicMs() - this.#begunMs);
      this.#settledSteps = outcome.template.steps;
      this.#state = { stage: 'ready', template: outcome.template };
      const { forks, blockers } = outcome.template;
      this.snapshot = { forks, blockers };
      this.rest();
    } else {
      // The result of this attempt, should it still come, is nobody's.
      this.#attempt++;
      this.holding.template = false;
      this.#failures++;
      this.#settledSteps = [];
      this.#why = 'earlier boot failed';
      const retryAtMs = this.#host.clock.monotonicMs() + bootRetryDelayMs(this.#failures);
      this.#state = { stage: 'failed', failure: outcome.failure, retryAtMs };
      if (outcome.failure.kind === 'platform') {
        this.#host.platformLog.error({ function: this.#spec.label, reason: outcome.failure.message }, 'a sandbox could not be started');
      }
    }
    for (const done of this.#prepared.splice(0)) done(outcome);
    this.#settled(outcome);
  }

  #leave(): void {
    if (this.#turn) this.#host.boots.leave(this.#turn);
    this.#turn = undefined;
  }

  #gone(template: Template): void {
    if (this.template !== template) return;
    this.holding.template = false;
    this.#state = { stage: 'none' };
    this.#why = 'template was lost';
    this.restingSinceMs = undefined;
    this.#host.platformLog.warn({ function: this.#spec.label }, 'a template was lost; the next start boots another');
    this.#lost();
  }
}

function describe(error: unknown): string {
  if (error instanceof HearthError) return error.message;
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}
