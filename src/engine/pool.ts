import type { ExpiringFifo } from '../kernel/mod.ts';
import { isUsedUp, schedule } from '../policy/mod.ts';
import type { Placement, PoolView, TemplateStage } from '../policy/mod.ts';
import type { Exit, Start } from '../ports/mod.ts';
import { Ahead } from './ahead.ts';
import { Claim, classOf } from './claim.ts';
import type { Deployment } from './deployment.ts';
import type { DeploymentStats } from './engine.ts';
import { Fleet } from './fleet.ts';
import type { Host } from './host.ts';
import type { Kept } from './kept.ts';
import { Line } from './line.ts';
import type { Health, Member } from './member.ts';
import { OutsideLog } from './outside-log.ts';
import { Pace } from './pace.ts';
import type { Patience } from './patience.ts';
import type { Run } from './run.ts';
import { Running } from './running.ts';
import type { Share } from './shares.ts';
import { TemplateSlot } from './template-slot.ts';
import { SecondThoughts } from './second-thoughts.ts';
import { forkCause, newStart, WAITS, WARM, warmStart } from './starts.ts';
import type { ForkCause, Wait } from './starts.ts';
import { Standby } from './standby.ts';
import { Tally } from './tally.ts';
import type { BootOutcome } from './template-slot.ts';
import { Turn } from './turns.ts';
import type { Turns } from './turns.ts';

/**
 * The instances of one deployment and the invocations that run on them or wait for one. Leasing and releasing take constant time.
 * `schedule` decides, and where it says `fork`, `worthWaiting` has a say; this file does what they say.
 */
export class Pool implements PoolView {
  readonly deployment: Deployment;
  readonly host: Host;
  readonly template: TemplateSlot;
  readonly #line: Line;
  readonly waiting: ExpiringFifo<Run>;
  readonly running: Running;
  readonly turn = new Turn(this);
  readonly #fleet: Fleet;
  readonly #pace: Pace;
  readonly #thoughts: SecondThoughts;
  readonly #patience: Patience;
  maxInstances: number;
  readonly standby: Standby;
  readonly #kept: Kept;
  readonly claim: Claim;
  readonly ahead: Ahead;
  #retired = false;
  #closed = false;
  #pumping = false;
  #pumpAgain = false;
  readonly outsideLog: OutsideLog;
  readonly #gone = Promise.withResolvers<unknown>();
  readonly tally = new Tally();

  constructor(deployment: Deployment, host: Host) {
    this.deployment = deployment;
    this.host = host;
    this.maxInstances = Math.min(deployment.maxInstances ?? Infinity, deployment.scaling?.maxInstances ?? Infinity);
    this.#line = new Line(this);
    this.waiting = this.#line.waiting;
    this.running = new Running(this, host);
    this.outsideLog = new OutsideLog(deployment, host);
    this.template = new TemplateSlot({
      host,
      spec: deployment.spec,
      capacityClass: classOf(deployment),
      wanted: () => this.waiting.size > 0 || this.standby.wantsMore,
      listener: {
        log: (text, level) => this.outsideLog.add(text, level, this.stage === 'booting'),
        unused: (steps) => this.outsideLog.unused(steps),
      },
      begun: () => (this.outsideLog.initTail = undefined),
      settled: (outcome) => this.#booted(outcome),
      lost: () => {
        this.pump();
        this.#kept.soon();
      },
    });
    this.#fleet = new Fleet({
      deployment,
      host,
      template: this.template,
      log: (text, level, run) => (run ? run.log(text, level) : this.outsideLog.add(text, level, this.stage === 'booting')),
      closed: (member, exit) => this.#lost(member, exit),
      changed: () => this.#kept.soon(),
    });
    this.standby = new Standby(this, this.#fleet, () => this.#pace.startMs);
    this.#kept = this.standby.kept;
    this.#pace = new Pace(this.#fleet, deployment.spec.concurrency, host.limits.processors);
    this.claim = new Claim(this, { fleet: this.#fleet, pace: this.#pace, kept: this.#kept, refusals: this.#line.refusals });
    this.ahead = new Ahead(this, this.#pace);
    this.#thoughts = new SecondThoughts({
      pool: this,
      host,
      waiting: this.waiting,
      ahead: this.ahead,
      pace: this.#pace,
      fleet: this.#fleet,
      place: (run, placement, nowMs, cause) => this.#place(run, placement, nowMs, cause),
      done: () => this.pump(),
    });
    this.#patience = this.#thoughts.patience;
  }

  // What schedule reads

  get available(): number {
    return this.#fleet.available;
  }

  get instances(): number {
    return this.#fleet.size;
  }

  get stage(): TemplateStage {
    return this.template.stage;
  }

  get share(): Share {
    return this.running.share;
  }

  mayRetryBoot(): boolean {
    return this.template.mayRetry();
  }

  // What the engine asks for

  /** Takes an invocation that has just arrived. */
  admit(run: Run): void {
    this.#take(run);
    if (this.#kept.active) this.#kept.change(this.load, run.arrivedMs);
  }

  #take(run: Run): void {
    // Nobody overtakes those who wait.
    if (this.waiting.size > 0) {
      this.#enqueue(run, this.waiting.last!.waitedFor!);
      if (this.stage === 'ready' && this.instances < this.maxInstances) this.#patience.soon();
      return;
    }
    this.#fleet.dropDead();
    const placement = schedule(this, this.share, this.host.room);
    switch (placement) {
      case 'warm':
      case 'fork':
        if (this.#line.depth > 0 && this.#thoughts.mayWait(placement, this.#pace.atLeast)) {
          this.#enqueue(run, 'a busy one');
          this.#patience.soon();
        } else {
          this.#place(run, placement, run.arrivedMs);
        }
        return;
      case 'fail':
        this.#line.fail(run);
        return;
      case 'refuse':
        this.#line.refusals.throttle(run);
        return;
      default:
        this.#enqueue(run, WAITS[placement]);
        this.#await(placement);
    }
  }

  /** Places up to `most` of the waiting. Those who may do better to wait are left to second thoughts. `turns`: the line that it comes from. */
  pump(most = Infinity, turns: Turns = this.host.forRoom): void {
    if (this.#pumping) {
      this.#pumpAgain = true;
      return;
    }
    this.#pumping = true;
    do {
      this.#pumpAgain = false;
      for (let run = this.waiting.first; run && most > 0; run = this.waiting.first) {
        if (!this.#placeFirst(run)) break;
        most--;
      }
    } while (this.#pumpAgain && most > 0);
    this.#pumping = false;
    // A limited turn may leave some waiting who could go on: they have another one.
    if (this.waiting.size > 0 && most <= 0) this.turn.join(isUsedUp(this.share) ? this.share.turns : turns);
  }

  /** False: the first in line, and with it all others, must wait. */
  #placeFirst(run: Run): boolean {
    this.#fleet.dropDead();
    const placement = schedule(this, this.share, this.host.room);
    switch (placement) {
      case 'warm':
      case 'fork':
        if (this.#thoughts.mayWait(placement, this.#pace.atLeast)) {
          if (!this.#patience.pending) this.#patience.soon();
          return false;
        }
        this.waiting.remove(run);
        this.#place(run, placement, this.host.clock.monotonicMs());
        return true;
      case 'fail':
        this.waiting.remove(run);
        this.#line.fail(run);
        return true;
      case 'refuse':
        this.waiting.remove(run);
        this.#line.refusals.throttle(run);
        return true;
      default:
        run.waitedFor = WAITS[placement];
        this.#await(placement);
        return false;
    }
  }

  /** An invocation has ended on `member`. */
  ended(run: Run, member: Member, health: Health, nowMs: number): void {
    this.running.left(run);
    this.#fleet.left(member, run);
    this.#pace.ended(run, member, nowMs, health !== 'poisoned');
    this.standby.ended(this.load, nowMs, health === 'sound');
    const goesOn = health !== 'poisoned' && member.ahead.length > 0;
    if (goesOn) this.beginAhead(member, nowMs);
    // An error may be the last thing before the process ends: the news of that is let in before anyone else is sent there.
    if (health === 'doubtful') queueMicrotask(() => this.#settleMember(member, health, nowMs, goesOn));
    else this.#settleMember(member, health, nowMs, goesOn);
  }

  /** `goesOn`: it has begun the next one already. */
  #settleMember(member: Member, health: Health, nowMs: number, goesOn: boolean): void {
    if (health === 'poisoned' || !member.instance.alive) this.#fleet.spoiled(member);
    else if (member.alive && !goesOn) this.#release(member, nowMs);
    this.host.freed(this);
    if (!this.#retired && this.ahead.give(member, nowMs)) this.#patience.again(this.#pace.startMs);
  }

  /** Serves what it has taken, then goes. Resolves when each sandbox is gone. */
  retire(): Promise<unknown> {
    this.#retired = true;
    this.standby.stop();
    this.settle();
    return this.#gone.promise;
  }

  /** Closes a retired pool that has nothing left to do. */
  settle(): void {
    if (this.#retired && this.running.size === 0 && this.waiting.size === 0) void this.close();
  }

  /** Ends everything at once: what waits is refused, what runs is cut off. Returns when each sandbox is gone. */
  close(): Promise<unknown> {
    if (this.#closed) return this.#gone.promise;
    this.#closed = true;
    this.#retired = true;
    this.standby.stop();
    this.ahead.recallAll();
    if (this.host.pools.get(this.deployment.id) === this) this.host.pools.delete(this.deployment.id);
    this.turn.leave();
    this.refuseWaiting();
    this.running.cutOff();
    const templateClosed = this.template.template?.closed;
    const fleetClosed = this.#fleet.close();
    this.template.close();
    for (const waits of [this.waiting, this.running, this.#patience]) waits.stop();
    this.#gone.resolve(Promise.all([templateClosed, fleetClosed]));
    return this.#gone.promise;
  }

  refuseWaiting(): void {
    this.#line.refusals.shuttingDown(this.waiting);
  }

  /** As `Engine.rescale` has it. */
  rescale(deployment: Deployment): void {
    if (this.#retired) return;
    this.maxInstances = this.#kept.rescale(deployment, this.#line);
    this.standby.warmer?.expect(deployment.calls);
    this.pump();
  }

  /** Invocations that run or wait. */
  get load(): number {
    return this.running.size + this.waiting.size + this.ahead.size;
  }

  stats(): DeploymentStats {
    const { idle, size } = this.#fleet;
    const counts = { idle, busy: size - idle, queued: this.waiting.size + this.ahead.size };
    return { ...this.tally.stats(this.deployment, counts), ...this.#kept.stats };
  }

  // Instances

  /** `cause`: why it is forked, unless that follows from what it has waited for. */
  #place(run: Run, placement: 'warm' | 'fork', nowMs: number, cause?: ForkCause): void {
    const { waitedFor, arrivedMs } = run;
    if (placement === 'warm') {
      const member = this.#fleet.warm();
      this.#start(run, member, nowMs, warmStart(waitedFor, member.running));
      return;
    }
    cause ??= forkCause(waitedFor, this.instances);
    // The fork may make a template an instance.
    const { blockers } = this.template.template!;
    const { snapshot } = this.deployment.spec;
    const member = this.#fleet.fork(nowMs, this.claim);
    if (!member) return this.#line.refusals.notForked(run);
    const boot = waitedFor === 'a boot' ? this.template.story : undefined;
    const { instance } = member;
    this.#start(
      run,
      member,
      nowMs,
      newStart({ arrivedMs, waited: waitedFor !== undefined, decidedMs: nowMs, cause, boot, instance, blockers, snapshot }),
    );
  }

  #start(run: Run, member: Member, nowMs: number, start: Start): void {
    this.#took(run, member, nowMs);
    this.standby.began(start, run.arrivedMs, this.running.size, run.invocation.trigger);
    this.tally.started(start);
    run.start(member, nowMs, this.outsideLog.takeInitMs(), start);
    this.outsideLog.initTail = undefined;
  }

  #took(run: Run, member: Member, nowMs: number): void {
    this.#fleet.took(member, run);
    this.#pace.began(run, member, nowMs);
    this.running.began(run, nowMs);
    this.claim.activity.seen(nowMs, this.host.room.evictionClock);
    this.tally.invocations++;
  }

  /** The turn of the first of those that `member` was handed ahead has come. */
  beginAhead(member: Member, nowMs: number = this.host.clock.monotonicMs()): void {
    const run = this.ahead.next(member);
    this.#took(run, member, nowMs);
    this.standby.began(WARM.handedAhead, run.arrivedMs, this.running.size);
    this.tally.started(WARM.handedAhead);
    run.begin(member, nowMs, undefined, WARM.handedAhead);
  }

  /** `member` has not begun `run`, whatever it looked like, and does not have it any more. It goes back to the head of the line. */
  returned(run: Run, member: Member): void {
    if (!this.ahead.remove(run, member)) {
      this.running.left(run);
      this.tally.invocations--;
      this.#fleet.left(member, run);
      this.#pace.returned(run);
    }
    run.takeBack();
    this.waiting.unshift(run);
    if (this.#closed) this.refuseWaiting();
    else this.#patience.soon();
    // What it would have taken may be another's.
    if (this.share.turns.size > 0) this.host.letGo(this.share);
  }

  #release(member: Member, nowMs: number): void {
    const surplus = this.instances > this.maxInstances || (this.#retired && this.waiting.size === 0);
    if (surplus && member.running === 0) this.#fleet.dismiss(member);
    else this.#fleet.free(member, nowMs);
  }

  #lost(member: Member, exit: Exit): void {
    this.running.lost(member, exit);
    if (!member.alive) return;
    this.#kept.lost(member);
    this.#fleet.dismiss(member);
    this.host.freed(this);
  }

  #booted(outcome: BootOutcome): void {
    this.outsideLog.booted(outcome, this.template.story, this.waiting.size > 0);
    this.#line.booted(outcome.ok);
    this.host.freed(this);
    this.standby.booted(outcome);
  }

  #enqueue(run: Run, waitsFor: Wait): void {
    this.#line.add(run, waitsFor, this.#relieve);
  }

  /** Nobody is refused for the sake of patience: a fork makes room in a full line. */
  readonly #relieve = (): void => {
    const { first } = this.waiting;
    if (!first || schedule(this, this.share, this.host.room) !== 'fork') return;
    this.waiting.remove(first);
    this.#place(first, 'fork', this.host.clock.monotonicMs(), 'the line was full');
  };

  #await(placement: Placement): void {
    if (placement === 'boot') this.template.boot();
    else if (placement === 'waitForHost') this.turn.join(this.host.forRoom);
    else if (placement === 'waitForAccount' || placement === 'waitForReservation') this.turn.join(this.share.turns);
  }
}
