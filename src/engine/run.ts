import { LIMITS, unreachable } from '../kernel/mod.ts';
import type { Fifo, Linked } from '../kernel/mod.ts';
import { entriesOf, startLine } from '../ports/mod.ts';
import type {
  Exit,
  Flow,
  InitFailure,
  InvocationAnswer,
  InvocationEnd,
  InvocationListener,
  InvocationReport,
  Start,
} from '../ports/mod.ts';
import type { InvokeHead, LogLevel, StreamHead } from '../protocol/mod.ts';
import { Collection } from './collection.ts';
import type { EngineListener, EngineLog, Invocation, InvocationHandle, Outcome, RefusalCode } from './engine.ts';
import { exitError, initError, RESPONSE_BYTES, responseTooLarge, seconds, timeoutError } from './errors.ts';
import { withinLineLimit } from './lines.ts';
import { LogTail } from './log-tail.ts';
import type { Health, Member } from './member.ts';
import { answered, broken, lost, withTail } from './outcomes.ts';
import type { Pool } from './pool.ts';
import { ended } from './starts.ts';
import type { Wait } from './starts.ts';

/**
 * One invocation from its arrival to its end. It is all of it in one object, so that the warm path allocates nothing else that
 * lasts: the handle its caller holds, the listener its instance talks to, and the member of the queue it waits in or of the
 * deadlines it runs under.
 */
export class Run implements InvocationHandle, InvocationListener, Linked<Run> {
  readonly requestId: string;
  readonly arrivedMs: number;
  previous: Run | undefined;
  next: Run | undefined;
  queue: Fifo<Run> | undefined;
  dueMs = 0;
  /** How much later than its start it is taken to have begun: what its instance needs to come up. */
  graceMs = 0;
  /** Undefined: it has not had to. */
  waitedFor: Wait | undefined;

  readonly #pool: Pool;
  readonly invocation: Invocation;
  readonly #tail: LogTail | undefined;
  /** Undefined once the caller has gone. */
  #listener: EngineListener | undefined;
  #state: 'waiting' | 'ahead' | 'running' | 'ended' = 'waiting';
  #member: Member | undefined;
  #flow: Flow | undefined;
  #paused = false;
  #startedMs = 0;
  #startedEpochMs = 0;
  #initMs: number | undefined;
  #start: Start | undefined;
  /** Whether its START line has been written: with the first line of the function's own, otherwise when all is known. */
  #begun = false;
  /** Set when a streamed answer has begun. */
  #head: StreamHead | undefined;
  #streamedBytes = 0;
  #collection: Collection | undefined;
  /** What its instance says next is its answer and not its end. */
  #goesOn = false;
  /** What it was answered, when it has gone on. */
  #early: { readonly outcome: Outcome; readonly health: Health } | undefined;

  constructor(pool: Pool, invocation: Invocation, listener: EngineListener, requestId: string, arrivedMs: number) {
    this.#pool = pool;
    this.invocation = invocation;
    this.#listener = listener;
    this.requestId = requestId;
    this.arrivedMs = arrivedMs;
    this.#tail = invocation.logTail === true ? new LogTail() : undefined;
  }

  get member(): Member | undefined {
    return this.#member;
  }

  /** Monotonic time at which its instance was given it. */
  get startedMs(): number {
    return this.#startedMs;
  }

  // What its pool does with it

  /** Gives the event to an instance. `initMs`: when this is the first invocation after an init. */
  start(member: Member, nowMs: number, initMs: number | undefined, start: Start): void {
    this.begin(member, nowMs, initMs, start);
    this.#given(member.instance.invoke(this.#invokeHead(this.#startedEpochMs), this.invocation.event, this));
  }

  /** Hands the event to an instance that is at work; `begin` follows when its turn has come. False: it doesn't take it. */
  handAhead(member: Member): boolean {
    this.#state = 'ahead';
    this.#member = member;
    // When it will begin is not known, but it is soon: it may be told of a little less time than it has.
    const flow = member.instance.handAhead!(this.#invokeHead(this.#pool.host.clock.now()), this.invocation.event, this);
    if (flow) this.#given(flow);
    else this.takeBack();
    return flow !== undefined;
  }

  /** What was handed ahead, or seemed to have begun, waits again. */
  takeBack(): void {
    this.#state = 'waiting';
    this.#member = undefined;
    this.#flow = undefined;
    this.waitedFor = 'a busy one';
  }

  /** From now on it runs. */
  begin(member: Member, nowMs: number, initMs: number | undefined, start: Start): void {
    const { deployment, host } = this.#pool;
    this.#state = 'running';
    this.#member = member;
    this.#startedMs = nowMs;
    this.#startedEpochMs = host.clock.now();
    this.#initMs = initMs;
    this.#start = start;
    this.#initLines();
    if (host.isFollowed(deployment.functionName)) this.#openLog();
  }

  #invokeHead(startMs: number): InvokeHead {
    const { deployment } = this.#pool;
    const { trace, clientContext, identity } = this.invocation;
    const head: { -readonly [K in keyof InvokeHead]: InvokeHead[K] } = {
      id: this.requestId,
      deadlineMs: startMs + deployment.timeoutMs,
      arn: deployment.arn,
    };
    if (trace !== undefined) head.trace = trace;
    if (clientContext !== undefined) head.clientContext = clientContext;
    if (identity !== undefined) head.identity = identity;
    return head;
  }

  #given(flow: Flow): void {
    // It may have ended during the call already.
    if (this.#state === 'ended') return;
    this.#flow = flow;
    if (this.#paused) flow.pause();
  }

  /** The limit is reached: the caller is answered at once, whatever the function does. */
  timeOut(): void {
    const { deployment, host } = this.#pool;
    const error = timeoutError(this.requestId, deployment.timeoutMs);
    const nowEpochMs = host.clock.now();
    const at = new Date(nowEpochMs).toISOString();
    this.#line(`${at} ${this.requestId} Task timed out after ${seconds(deployment.timeoutMs)} seconds\n`, nowEpochMs);
    this.#finish(broken(error, this.#streaming), 'Status: timeout', 'poisoned');
  }

  /** Init has failed: the invocation ends without having run. `start`: unless it failed before the invocation came. */
  failInit(failure: InitFailure, start: Start | undefined): void {
    const { deployment, host } = this.#pool;
    this.#start = start;
    const error = initError(this.requestId, failure, deployment.spec.initTimeoutMs);
    const epochMs = host.clock.now();
    this.#state = 'ended';
    this.#startedMs = this.arrivedMs;
    this.#startedEpochMs = epochMs - Math.round(host.clock.monotonicMs() - this.arrivedMs);
    this.#initLines();
    if (failure.kind !== 'failed') this.#line(`${error.errorMessage}\n${error.errorType}`, epochMs);
    this.#closingLines(`Status: error\tError Type: ${error.errorType}`);
    this.#pool.tally.errors++;
    this.#deliverLater(withTail({ kind: 'functionError', error }, this.#tail));
  }

  /** The invocation is not run. */
  refuse(code: RefusalCode, message: string, reason?: string): void {
    this.#state = 'ended';
    this.#deliverLater(reason === undefined ? { kind: 'refused', code, message } : { kind: 'refused', code, message, reason });
  }

  /** The platform ends before the function does. */
  cutOff(): void {
    const message = 'this node is shutting down; the invocation was ended before the function answered. Try another node, or again later';
    this.#finish(lost('ShuttingDown', message, this.#streaming), 'Status: failure', 'poisoned');
  }

  // What its caller does with it

  pause(): void {
    this.#paused = true;
    if (this.#running()) this.#flow?.pause();
  }

  resume(): void {
    this.#paused = false;
    if (this.#running()) this.#flow?.resume();
  }

  abandon(): void {
    this.#listener = undefined;
    this.#collection = undefined;
    // Nobody is slow any more: what was held back must not hold the function.
    if (this.#paused) this.resume();
  }

  // What its instance does with it

  log(text: string, level: LogLevel): void {
    if (!this.#running()) return;
    const { deployment, host } = this.#pool;
    this.#openLog();
    this.#write({
      functionName: deployment.functionName,
      version: deployment.version,
      timeMs: host.clock.now(),
      requestId: this.requestId,
      level,
      text: withinLineLimit(text),
    });
  }

  streamHead(head: StreamHead): void {
    if (!this.#running()) return;
    this.#head = head;
    try {
      this.#listener?.streamHead?.(head);
    } catch (error) {
      this.#listenerFailed(error);
    }
    if (this.#listener && !this.#listener.streamChunk) this.#collection = new Collection(this.#listener.streamHead ? undefined : head);
  }

  streamChunk(chunk: Buffer): void {
    if (!this.#running()) return;
    this.#streamedBytes += chunk.length;
    const limitBytes = this.#collection ? RESPONSE_BYTES : LIMITS.streamedResponseBytes;
    if (this.#streamedBytes > limitBytes) {
      const error = responseTooLarge(limitBytes);
      this.#finish(broken(error, this.#streaming), `Status: error\tError Type: ${error.errorType}`, 'poisoned');
      return;
    }
    if (this.#collection) {
      this.#collection.add(chunk);
      return;
    }
    try {
      this.#listener?.streamChunk?.(chunk);
    } catch (error) {
      this.#listenerFailed(error);
    }
  }

  /** Its caller hears of it now; its instance is at work, and its deadline stands. */
  answered(answer: InvocationAnswer): void {
    this.#goesOn = true;
    this.end(answer);
  }

  end(end: InvocationEnd): void {
    if (end.kind === 'notBegun') {
      if (this.#state === 'ahead' || this.#state === 'running') this.#pool.returned(this, this.#member!);
      return;
    }
    // An instance that answers before its turn has begun before it.
    if (this.#state === 'ahead') this.#pool.beginAhead(this.#member!);
    if (!this.#running()) return;
    switch (end.kind) {
      case 'answered':
        this.#used(end.memoryKiB);
        this.#finish(answered(end.payload), '', 'sound');
        return;
      case 'streamed':
        this.#used(end.memoryKiB);
        if (end.error) this.#finish(broken(end.error, this.#streaming), '', 'doubtful');
        else if (this.#collection) this.#finish(answered(this.#collection.take()), '', 'sound');
        else this.#finish({ kind: 'streamed' }, '', 'sound');
        return;
      case 'failed':
        this.#used(end.memoryKiB);
        this.#finish(broken(end.error, this.#streaming), '', 'doubtful');
        return;
      case 'over':
        this.#used(end.memoryKiB);
        this.#finish(this.#early!.outcome, '', this.#early!.health);
        return;
      case 'died':
        this.#died(end.exit);
        return;
      default:
        unreachable(end);
    }
  }

  /** Whether its caller has a part of the answer. */
  get #streaming(): boolean {
    return this.#head !== undefined && !this.#collection;
  }

  #running(): boolean {
    return this.#state === 'running';
  }

  #used(memoryKiB: number): void {
    const member = this.#member!;
    if (memoryKiB > member.memoryKiB) member.memoryKiB = memoryKiB;
  }

  #died(exit: Exit): void {
    // Not killed by the engine and not by itself: the sandbox never came to be, or was lost.
    if (exit.kind === 'ended' && this.#member!.alive) {
      const message = `the sandbox of ${this.#pool.deployment.spec.label} was lost or could not be started; try again`;
      this.#finish(lost('SandboxFailed', message, this.#streaming), 'Status: failure', 'poisoned');
      return;
    }
    if (exit.kind === 'outOfMemory') this.#used(this.#pool.deployment.spec.memoryMiB * 1024);
    const error = exitError(this.requestId, exit);
    this.#line(`${error.errorMessage}\n${error.errorType}`, this.#pool.host.clock.now());
    this.#finish(broken(error, this.#streaming), `Status: error\tError Type: ${error.errorType}`, 'poisoned');
  }

  #finish(outcome: Outcome, status: string, health: Health): void {
    if (this.#goesOn) {
      this.#goesOn = false;
      this.#early = { outcome, health };
      this.#deliver(withTail(outcome, this.#tail));
      this.abandon();
      return;
    }
    this.#state = 'ended';
    this.#flow = undefined;
    const nowMs = this.#closingLines(status);
    if (outcome.kind !== 'answered' && !(outcome.kind === 'streamed' && !outcome.error)) this.#pool.tally.errors++;
    this.#deliver(withTail(outcome, this.#tail));
    this.#collection = undefined;
    this.#pool.ended(this, this.#member!, health, nowMs);
  }

  /** Returns the monotonic time. */
  #closingLines(status: string): number {
    const { deployment, host } = this.#pool;
    const nowMs = host.clock.monotonicMs();
    const durationMs = nowMs - this.#startedMs;
    // Each clock that is read once instead of twice is a part of what a warm invocation costs.
    const report: InvocationReport = {
      functionName: deployment.functionName,
      version: deployment.version,
      requestId: this.requestId,
      startedMs: this.#startedEpochMs,
      endedMs: this.#startedEpochMs + Math.round(durationMs),
      durationMs,
      billedMs: Math.max(1, Math.min(Math.ceil(durationMs), deployment.timeoutMs)),
      memoryMiB: deployment.spec.memoryMiB,
      usedMiB: this.#member ? Math.ceil(this.#member.memoryKiB / 1024) : 0,
      initMs: this.#initMs,
      status,
      begun: this.#begun,
      start: this.#start?.steps ? ended(this.#start, this.#member, this.arrivedMs, nowMs) : this.#start,
      waitedMs: this.#startedMs - this.arrivedMs,
      trigger: this.invocation.trigger,
    };
    if (this.#tail) for (const { text } of entriesOf(report)) this.#tail.add(text);
    host.report(report);
    return nowMs;
  }

  /** The caller of `invoke` has its handle before it hears of the end. */
  #deliverLater(outcome: Outcome): void {
    queueMicrotask(() => this.#deliver(outcome));
  }

  #deliver(outcome: Outcome): void {
    try {
      this.#listener?.end(outcome);
    } catch (error) {
      this.#listenerFailed(error);
    }
  }

  #listenerFailed(error: unknown): void {
    this.#pool.host.platformLog.error({ error, requestId: this.requestId }, 'the listener of an invocation has thrown');
  }

  #initLines(): void {
    if (this.#tail && this.#pool.outsideLog.initTail) this.#tail.addAll(this.#pool.outsideLog.initTail);
  }

  #openLog(): void {
    if (this.#begun) return;
    this.#begun = true;
    this.#line(startLine(this.requestId, this.#pool.deployment.version), this.#startedEpochMs);
  }

  #line(text: string, timeMs: number): void {
    this.#openLog();
    const { functionName, version } = this.#pool.deployment;
    this.#write({ functionName, version, timeMs, requestId: this.requestId, text });
  }

  #write(line: EngineLog): void {
    this.#tail?.add(line.text);
    this.#pool.host.log(line);
  }
}
