import { unreachable } from '../kernel/mod.ts';
import { schedule } from '../policy/mod.ts';
import type { Placement, PoolView, TemplateStage } from '../policy/mod.ts';
import type { LogLevel } from '../protocol/mod.ts';
import type { Deployment } from './deployment.ts';
import type { DeploymentStats, EngineLog } from './engine.ts';
import { initError } from './errors.ts';
import { ExpiringFifo } from './fifo.ts';
import type { Host } from './host.ts';
import { initReportLine, withinLineLimit } from './lines.ts';
import { LogTail } from './log-tail.ts';
import { Member } from './member.ts';
import { Members } from './members.ts';
import type { Run } from './run.ts';
import { TemplateSlot } from './template-slot.ts';
import type { BootOutcome } from './template-slot.ts';

/**
 * The instances of one deployment and the invocations that run on them or wait for one. Leasing and releasing take constant time.
 * `schedule` decides; this file does what it says.
 */
export class Pool implements PoolView {
  readonly deployment: Deployment;
  readonly host: Host;
  readonly template: TemplateSlot;
  readonly waiting: ExpiringFifo<Run>;
  /** Running invocations, by their deadlines. */
  readonly #deadlines: ExpiringFifo<Run>;
  readonly #members: Members;
  readonly maxInstances: number;
  #retired = false;
  #closed = false;
  #pumping = false;
  #pumpAgain = false;
  /** Init's log lines, until an invocation has shown them; and the init's duration, until one has reported it. */
  initTail: LogTail | undefined;
  #initMs: number | undefined;
  readonly #gone = Promise.withResolvers<unknown>();
  readonly #prepared: ((outcome: BootOutcome | undefined) => void)[] = [];
  readonly #starts = { warm: 0, fork: 0, boot: 0, spawn: 0 };
  invocations = 0;
  errors = 0;
  throttles = 0;

  constructor(deployment: Deployment, host: Host) {
    const { clock, limits } = host;
    this.deployment = deployment;
    this.host = host;
    this.maxInstances = deployment.maxInstances ?? Infinity;
    this.waiting = new ExpiringFifo({ clock, ttlMs: limits.queueAgeMs, expire: (run) => this.#agedOut(run) });
    this.#deadlines = new ExpiringFifo({ clock, ttlMs: deployment.timeoutMs, expire: (run) => run.timeOut() });
    this.#members = new Members({
      clock,
      keepAliveMs: limits.keepAliveMs,
      concurrency: deployment.spec.concurrency,
      expire: (member) => this.#dismiss(member),
    });
    this.template = new TemplateSlot({
      host,
      spec: deployment.spec,
      listener: { log: (text, level) => this.#logOutside(text, level) },
      settled: (outcome) => this.#booted(outcome),
      lost: () => this.pump(Infinity),
    });
  }

  // What schedule reads

  get available(): number {
    return this.#members.available;
  }

  get instances(): number {
    return this.#members.size;
  }

  get stage(): TemplateStage {
    return this.template.stage;
  }

  mayRetryBoot(): boolean {
    return this.template.mayRetry();
  }

  /** Since when its longest idle instance has been idle. */
  get restingSinceMs(): number | undefined {
    return this.#members.longestIdle?.dueMs;
  }

  // What the engine asks for

  /** Takes an invocation that has just arrived. */
  admit(run: Run): void {
    // Nobody overtakes those who wait.
    if (this.waiting.size > 0) {
      this.#enqueue(run);
      return;
    }
    this.#dropDead();
    const placement = schedule(this, this.host);
    switch (placement) {
      case 'warm':
      case 'fork':
        this.#place(run, placement, run.arrivedMs);
        return;
      case 'fail':
        this.#fail(run);
        return;
      case 'refuse':
        this.#throttle(run, 'ReservedFunctionConcurrentInvocationLimitExceeded');
        return;
      case 'boot':
      case 'waitForBoot':
      case 'waitForFunction':
      case 'waitForAccount':
      case 'waitForHost':
        this.#enqueue(run);
        this.#await(placement);
        return;
      default:
        unreachable(placement);
    }
  }

  /** Places up to `most` of the waiting. */
  pump(most: number): void {
    if (this.#pumping) {
      this.#pumpAgain = true;
      return;
    }
    this.#pumping = true;
    do {
      this.#pumpAgain = false;
      for (let run = this.waiting.first; run && most > 0; run = this.waiting.first) {
        this.#dropDead();
        const placement = schedule(this, this.host);
        if (placement !== 'warm' && placement !== 'fork' && placement !== 'fail') {
          this.#await(placement);
          break;
        }
        this.waiting.remove(run);
        most--;
        if (placement === 'fail') this.#fail(run);
        else this.#place(run, placement, this.host.clock.monotonicMs());
      }
    } while (this.#pumpAgain && most > 0);
    this.#pumping = false;
    // A limited turn may leave some waiting who could go on: they keep their place in the line for room.
    if (this.waiting.size > 0 && most <= 0) this.host.block(this);
  }

  /** An invocation has ended on `member`. */
  ended(run: Run, member: Member, health: Health, nowMs: number): void {
    this.#deadlines.remove(run);
    this.host.running--;
    member.running--;
    if (member.latest === run) member.latest = undefined;
    // An error may be the last thing before the process ends: the news of that is let in before anyone else is sent there.
    if (health === 'doubtful') queueMicrotask(() => this.#settleMember(member, health, nowMs));
    else this.#settleMember(member, health, nowMs);
  }

  #settleMember(member: Member, health: Health, nowMs: number): void {
    if (health === 'poisoned' || !member.instance.alive) this.#dismiss(member);
    else if (member.alive) this.#release(member, nowMs);
    this.host.freed(this);
  }

  /** Takes instances from the top that are about to end, so that the next one to be used is one that can be. */
  #dropDead(): void {
    for (let top = this.#members.next; top && !top.instance.alive; top = this.#members.next) this.#dismiss(top);
  }

  /** Boots the template unless it is there; `undefined`: the pool was closed meanwhile. */
  prepare(done: (outcome: BootOutcome | undefined) => void): void {
    const { template, failure } = this.template;
    if (template) return done({ ok: true, template });
    if (failure && !this.template.mayRetry()) return done({ ok: false, failure });
    this.#prepared.push(done);
    if (this.stage !== 'booting') this.#boot();
  }

  /** Serves what it has taken, then goes. Resolves when each sandbox is gone. */
  retire(): Promise<unknown> {
    this.#retired = true;
    this.settle();
    return this.#gone.promise;
  }

  /** Closes a retired pool that has nothing left to do. */
  settle(): void {
    if (this.#retired && this.#deadlines.size === 0 && this.waiting.size === 0) void this.close();
  }

  /** Ends everything at once: what waits is refused, what runs is cut off. Returns when each sandbox is gone. */
  close(): Promise<unknown> {
    if (this.#closed) return this.#gone.promise;
    this.#closed = true;
    const ends = [...this.#members].map((member) => member.instance.closed);
    if (this.template.template) ends.push(this.template.template.closed);
    this.#retired = true;
    if (this.host.pools.get(this.deployment.id) === this) this.host.pools.delete(this.deployment.id);
    this.host.unblock(this);
    this.refuseWaiting();
    for (let run = this.#deadlines.first; run; run = this.#deadlines.first) run.cutOff();
    for (const member of this.#members) this.#dismiss(member);
    this.template.close();
    for (const queue of [this.waiting, this.#deadlines, this.#members]) queue.stop();
    for (const done of this.#prepared.splice(0)) done(undefined);
    this.#gone.resolve(Promise.all(ends));
    return this.#gone.promise;
  }

  refuseWaiting(): void {
    for (let run = this.waiting.first; run; run = this.waiting.first) {
      this.waiting.remove(run);
      run.refuse('ShuttingDown', 'this node is shutting down and the invocation had not begun; try another node, or again later');
    }
  }

  endLongestIdle(): void {
    const { longestIdle } = this.#members;
    if (longestIdle) this.#dismiss(longestIdle);
  }

  stats(): DeploymentStats {
    const { idle } = this.#members;
    return {
      deploymentId: this.deployment.id,
      functionName: this.deployment.functionName,
      version: this.deployment.version,
      idle,
      busy: this.#members.size - idle,
      queued: this.waiting.size,
      invocations: this.invocations,
      errors: this.errors,
      throttles: this.throttles,
      starts: { ...this.#starts },
    };
  }

  // Instances

  #place(run: Run, placement: 'warm' | 'fork', nowMs: number): void {
    if (placement === 'warm') {
      this.#starts.warm++;
      this.#start(run, this.#members.next!, nowMs);
      return;
    }
    const member = this.#fork();
    if (member) this.#start(run, member, nowMs);
    else run.refuse('SandboxFailed', `no sandbox of ${this.deployment.spec.label} could be started; try again`);
  }

  #start(run: Run, member: Member, nowMs: number): void {
    this.#members.took(member);
    member.latest = run;
    this.host.running++;
    this.invocations++;
    this.#deadlines.add(run, nowMs);
    const initMs = this.#initMs;
    this.#initMs = undefined;
    run.start(member, nowMs, initMs);
    this.initTail = undefined;
  }

  #fork(): Member | undefined {
    this.host.makeRoomForInstance();
    let member: Member;
    try {
      member = new Member(this.template.template!.fork());
    } catch (error) {
      this.host.platformLog.error({ error, function: this.deployment.spec.label }, 'an instance could not be forked');
      return undefined;
    }
    const { instance } = member;
    this.#starts[instance.start]++;
    this.#members.add(member);
    this.host.instances++;
    this.template.use();
    instance.onLog = (text, level) => this.#logOutside(text, level, this.deployment.spec.concurrency === 1 ? member.latest : undefined);
    void instance.closed.then((exit) => {
      // The driver has ended its invocations; if it hasn't, they must not hang.
      for (let run = this.#deadlines.first; run;) {
        const { next } = run;
        if (run.member === member) run.end({ kind: 'died', exit });
        run = next;
      }
      if (!member.alive) return;
      this.#dismiss(member);
      this.host.freed(this);
    });
    return member;
  }

  #release(member: Member, nowMs: number): void {
    if (this.#retired && this.waiting.size === 0 && member.running === 0) this.#dismiss(member);
    else this.#members.free(member, nowMs);
  }

  /** Gives an instance up. Nothing is to run on it any more; what still does ends as `died`. */
  #dismiss(member: Member): void {
    if (!member.alive) return;
    member.alive = false;
    this.#members.remove(member);
    this.host.instances--;
    if (this.#members.size === 0) this.template.rest();
    member.instance.kill();
  }

  // The template

  #boot(): void {
    this.initTail = undefined;
    this.template.boot();
  }

  #booted(outcome: BootOutcome): void {
    if (outcome.ok) {
      this.#initMs = outcome.template.initMs;
    } else if (outcome.failure.kind === 'init') {
      const { failure } = outcome.failure;
      const error = initError(undefined, failure, this.deployment.spec.initTimeoutMs);
      const status = failure.kind === 'timedOut' ? 'timeout' : `error\tError Type: ${error.errorType}`;
      this.#write({ timeMs: this.host.clock.now(), text: initReportLine(failure.initMs, `Status: ${status}`) }, true);
    }
    for (const done of this.#prepared.splice(0)) done(outcome);
    if (!outcome.ok) this.#failWaiting();
    this.host.freed(this);
  }

  // Waiting

  #enqueue(run: Run): void {
    if (this.waiting.size >= this.host.limits.queueDepth) this.#throttle(run, this.#reason());
    else this.waiting.add(run, run.arrivedMs);
  }

  #await(placement: Placement): void {
    if (placement === 'boot') this.#boot();
    else if (placement === 'waitForAccount' || placement === 'waitForHost') this.host.block(this);
  }

  #agedOut(run: Run): void {
    this.#throttle(run, this.#reason());
    if (this.waiting.size === 0) this.host.unblock(this);
    this.host.freed(this);
  }

  #reason(): ThrottleReason {
    return this.instances >= this.maxInstances ? 'ReservedFunctionConcurrentInvocationLimitExceeded' : 'ConcurrentInvocationLimitExceeded';
  }

  #throttle(run: Run, reason: ThrottleReason): void {
    this.throttles++;
    run.refuse('TooManyRequestsException', 'Rate Exceeded.', reason);
  }

  #fail(run: Run): void {
    const failure = this.template.failure!;
    if (failure.kind === 'init') {
      this.invocations++;
      run.failInit(failure.failure);
    } else {
      run.refuse('SandboxFailed', `no sandbox of ${this.deployment.spec.label} could be started: ${failure.message}`);
    }
  }

  /** All who wait now waited for this init; they share its failure. */
  #failWaiting(): void {
    for (let run = this.waiting.first; run; run = this.waiting.first) {
      this.waiting.remove(run);
      this.#fail(run);
    }
  }

  // Lines outside of invocations

  #logOutside(text: string, level: LogLevel, run?: Run): void {
    if (run) run.log(text, level);
    else this.#write({ timeMs: this.host.clock.now(), level, text: withinLineLimit(text) }, this.stage === 'booting');
  }

  #write(line: Omit<EngineLog, 'functionName' | 'version' | 'requestId'>, ofInit: boolean): void {
    const { functionName, version } = this.deployment;
    const whole: EngineLog = { functionName, version, ...line };
    if (ofInit) (this.initTail ??= new LogTail()).add(whole.text);
    this.host.log(whole);
  }
}

/** How an invocation leaves its instance: fit for the next, to be looked at, or not to be used again. */
export type Health = 'sound' | 'doubtful' | 'poisoned';

type ThrottleReason = 'ReservedFunctionConcurrentInvocationLimitExceeded' | 'ConcurrentInvocationLimitExceeded';
