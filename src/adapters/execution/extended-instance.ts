import type { Clock, Timer } from '../../kernel/mod.ts';
import type { Exit, Flow, Instance, InvocationAnswer, InvocationEnd, InvocationListener, Step } from '../../ports/mod.ts';
import type { EncodableEvent, FunctionError, InvokeHead, LogLevel, StreamHead } from '../../protocol/mod.ts';
import type { Steps } from '../link/mod.ts';
import { rounded } from './environment.ts';
import type { Environment } from './environment.ts';

export type ExtendedInstanceOptions = {
  /** What runs the function. */
  readonly inner: Instance & { readonly steps: Steps };
  readonly environment: Environment;
  readonly clock: Clock;
  /** Whether the runtime asks for each event by itself: `Environment.runtimeWaits` is called for it. If not, it waits as soon as it has answered. */
  readonly asks: boolean;
};

/**
 * An instance with extensions around it: each invocation begins when runtime and extensions all wait for it, extensions get their events, and what
 * happens is told as telemetry. Who called is answered as soon as the runtime has answered.
 */
export class ExtendedInstance implements Instance {
  readonly start: Instance['start'];
  readonly closed: Promise<Exit>;
  readonly ready: Promise<void>;
  onLog: ((text: string, level: LogLevel) => void) | undefined;
  readonly #options: ExtendedInstanceOptions;
  readonly #waiting: Call[] = [];
  readonly #running = new Set<Call>();
  /** Answered, while extensions are still at work. */
  #last: Call | undefined;
  #limit: Timer | undefined;
  #over = false;

  constructor(options: ExtendedInstanceOptions) {
    const { inner, environment } = options;
    this.#options = options;
    this.start = inner.start;
    this.closed = inner.closed;
    this.ready = Promise.race([environment.initialised, this.closed]).then(() => {});
    environment.onLog = (text, level) => this.onLog?.(text, level);
    environment.onReady = () => this.#ready();
    environment.onRoom = () => this.#next();
    environment.onFailed = (error) => this.#failed(error);
    inner.onLog = (text, level) => environment.functionLine(text, level);
    void this.closed.then((exit) => this.#gone(exit));
    const { failed } = environment;
    if (failed) queueMicrotask(() => this.#failed(failed));
  }

  get alive(): boolean {
    return !this.#over && this.#options.inner.alive;
  }

  /** To be added to until they are taken. */
  get steps(): Steps {
    return this.#options.inner.steps;
  }

  takeSteps(): readonly Step[] {
    return this.#options.inner.takeSteps();
  }

  invoke(head: InvokeHead, event: EncodableEvent, listener: InvocationListener): Flow {
    const call = new Call({ ...this.#options, head, event, listener, ended: () => this.#ended(call) });
    if (this.#over) queueMicrotask(() => call.finish({ kind: 'died', exit: { kind: 'ended' } }));
    else {
      this.#waiting.push(call);
      this.#next();
    }
    return call;
  }

  kill(): void {
    if (this.#over) return;
    const { environment, inner, clock } = this.#options;
    this.#over = true;
    this.#limit?.cancel();
    for (const call of this.#running) {
      const timedOut = call.head.deadlineMs <= clock.now();
      environment.because(timedOut ? 'timeout' : 'failure');
      call.cutOff(timedOut ? 'timeout' : 'failure');
    }
    this.#report('success');
    inner.kill();
    queueMicrotask(() => this.#gone({ kind: 'ended' }));
  }

  /** Its init has failed, or not come to its end: who waits for it hears of an instance that is gone. */
  abort(exit: Exit): void {
    if (this.#over) return;
    this.#gone(exit);
    this.#options.inner.kill();
  }

  #next(): void {
    const { environment, inner } = this.#options;
    while (this.#waiting.length > 0 && environment.ready && !this.#over) {
      const call = this.#waiting.shift()!;
      this.#running.add(call);
      // Where several run at a time extensions may still be at work for the last one: they have the time of those that come.
      this.#limit?.cancel();
      this.#report('success');
      environment.begin(call.head);
      call.begin(inner);
    }
  }

  /** Runtime and extensions wait for the next event. */
  #ready(): void {
    this.#limit?.cancel();
    this.#report('success');
    this.#next();
  }

  /** The runtime has come to the end of an invocation. */
  #ended(call: Call): void {
    const { environment, clock, asks } = this.#options;
    this.#running.delete(call);
    if (this.#over) return call.report('success');
    if (call.fatal) {
      environment.because('failure');
      return call.report('success');
    }
    this.#last = call;
    if (!asks && this.#running.size === 0) environment.runtimeWaits(true);
    else if (environment.facts.concurrency > 1) this.#report('success');
    if (this.#last !== call) return;
    // The function's time is also the time of its extensions.
    const leftMs = Math.max(0, call.head.deadlineMs - clock.now());
    this.#limit = clock.after(leftMs, () => this.#timedOut(call));
  }

  #timedOut(call: Call): void {
    const { environment } = this.#options;
    environment.because('timeout');
    this.#report('timeout');
    const text = `RequestId: ${call.head.id} Error: the runtime or an extension did not ask for the next event within the function's timeout`;
    environment.onLog?.(text, 'ERROR');
    this.#end();
  }

  #failed(error: FunctionError): void {
    if (this.#over) return;
    this.#report('error', error.errorType);
    for (const call of this.#running) call.fail(error);
    // Those whose init this was share its failure; others have only come to the wrong instance.
    const { initDone } = this.#options.environment;
    for (const call of this.#waiting.splice(0)) {
      if (initDone) call.finish({ kind: 'notBegun' });
      else call.fail(error);
    }
    this.#end();
  }

  /** It can't go on. */
  #end(): void {
    this.#over = true;
    for (const call of this.#waiting.splice(0)) call.finish({ kind: 'notBegun' });
    this.#options.inner.kill();
  }

  /** The last invocation is over, for the extensions too. */
  #report(status: Status, errorType?: string): void {
    const last = this.#last;
    this.#last = undefined;
    last?.report(status, errorType);
  }

  #gone(exit: Exit): void {
    this.#over = true;
    this.#limit?.cancel();
    for (const call of this.#waiting.splice(0)) call.finish({ kind: 'died', exit });
  }
}

type Status = 'success' | 'error' | 'failure' | 'timeout';

type CallOptions = ExtendedInstanceOptions & {
  readonly head: InvokeHead;
  readonly event: EncodableEvent;
  readonly listener: InvocationListener;
  /** The runtime has come to its end. */
  readonly ended: () => void;
};

/** One invocation, as telemetry tells of it. */
class Call implements Flow, InvocationListener {
  readonly head: InvokeHead;
  /** The runtime can't go on after it. */
  fatal = false;
  /** Where who called can be answered while the function goes on. */
  readonly answered?: Required<InvocationListener>['answered'];
  readonly #options: CallOptions;
  #flow: Flow | undefined;
  #paused = false;
  #over = false;
  #begun = false;
  /** It has been answered. */
  #goesOn = false;
  /** Each is told once: who is cut off may come to an end of its own a moment later. */
  #doneTold = false;
  #reportTold = false;
  #startedMs = 0;
  #firstMs: number | undefined;
  #producedBytes = 0;
  #memoryKiB = 0;
  #status: Status = 'success';
  #errorType: string | undefined;
  #initMs: number | undefined;

  constructor(options: CallOptions) {
    this.#options = options;
    this.head = options.head;
    const { listener } = options;
    if (listener.answered) {
      this.answered = (answer) => {
        if (this.#over) return;
        this.#goesOn = true;
        this.#tellAnswer(answer);
        listener.answered!(answer);
      };
    }
  }

  begin(inner: Instance): void {
    const { environment, clock, event, head } = this.#options;
    this.#begun = true;
    this.#startedMs = clock.monotonicMs();
    this.#initMs = environment.initMs;
    environment.initMs = undefined;
    const { functionVersion: version } = environment.facts;
    environment.telemetry.tell('platform.start', { requestId: head.id, version, ...this.#tracing() });
    this.#flow = inner.invoke(head, event, this);
    if (this.#paused) this.#flow.pause();
  }

  pause(): void {
    this.#paused = true;
    this.#flow?.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#flow?.resume();
  }

  log(text: string, level: LogLevel): void {
    this.#options.environment.telemetry.line('function', text);
    if (!this.#over) this.#options.listener.log(text, level);
  }

  streamHead(head: StreamHead): void {
    this.#firstMs ??= this.#options.clock.monotonicMs();
    if (!this.#over) this.#options.listener.streamHead(head);
  }

  streamChunk(chunk: Buffer): void {
    this.#producedBytes += chunk.length;
    if (!this.#over) this.#options.listener.streamChunk(chunk);
  }

  end(end: InvocationEnd): void {
    if (this.#over) return;
    if (end.kind === 'died') {
      this.fatal = true;
      if (!this.#doneTold) this.#options.environment.telemetry.tell('platform.fault', `RequestId: ${this.head.id} Error: Runtime exited`);
      this.#done('failure', end.exit.kind === 'outOfMemory' ? 'Runtime.OutOfMemory' : 'Runtime.ExitError', 0);
    } else if (end.kind === 'over') this.#memoryKiB = end.memoryKiB;
    else if (end.kind !== 'notBegun') this.#tellAnswer(end);
    this.finish(end);
    this.#options.ended();
  }

  #tellAnswer(answer: InvocationAnswer): void {
    if (answer.kind === 'answered') this.#producedBytes = answer.payload.length;
    const error = answer.kind === 'answered' ? undefined : answer.error;
    this.#done(error ? 'error' : 'success', error?.errorType, answer.memoryKiB);
  }

  /** An extension has failed, and the invocation with it. */
  fail(error: FunctionError): void {
    if (this.#over) return;
    this.cutOff('error', error.errorType);
    this.finish(this.#goesOn ? { kind: 'died', exit: { kind: 'ended' } } : { kind: 'failed', error, memoryKiB: this.#memoryKiB });
  }

  /** Its instance is to end while it runs. */
  cutOff(status: Status, errorType?: string): void {
    if (this.#over || !this.#begun) return;
    this.#done(status, errorType, 0);
    this.report(status, errorType);
  }

  finish(end: InvocationEnd): void {
    if (this.#over) return;
    this.#over = true;
    this.#options.listener.end(end);
  }

  /** All is over; `after`: how it went after the runtime had come to its end. */
  report(after: Status, errorType = this.#errorType): void {
    const { environment, clock, head } = this.#options;
    if (this.#reportTold) return;
    this.#reportTold = true;
    if (!environment.telemetry.heard) return;
    const { id: requestId } = head;
    const durationMs = clock.monotonicMs() - this.#startedMs;
    const { memoryMiB } = environment.facts;
    const metrics = {
      durationMs: rounded(durationMs),
      billedDurationMs: Math.max(1, Math.ceil(durationMs)),
      memorySizeMB: memoryMiB,
      maxMemoryUsedMB: Math.min(memoryMiB, Math.ceil(this.#memoryKiB / 1024)),
      ...(this.#initMs !== undefined && { initDurationMs: rounded(this.#initMs) }),
    };
    const status = this.#status === 'success' ? after : this.#status;
    const error = errorType === undefined || status === 'success' ? {} : { errorType };
    environment.telemetry.tell('platform.end', { requestId });
    environment.telemetry.tell('platform.report', { requestId, status, ...error, metrics, ...this.#tracing() });
  }

  #done(status: Status, errorType: string | undefined, memoryKiB: number): void {
    const { environment, clock, head } = this.#options;
    if (this.#doneTold) return;
    this.#doneTold = true;
    this.#status = status;
    this.#errorType = errorType;
    this.#memoryKiB = memoryKiB;
    if (!environment.telemetry.heard) return;
    const nowMs = clock.monotonicMs();
    const firstMs = this.#firstMs ?? nowMs;
    const epoch = (atMs: number) => new Date(clock.now() - (nowMs - atMs)).toISOString();
    environment.telemetry.tell('platform.runtimeDone', {
      requestId: head.id,
      status,
      ...(errorType !== undefined && { errorType }),
      metrics: { durationMs: rounded(nowMs - this.#startedMs), producedBytes: this.#producedBytes },
      spans: [
        { name: 'responseLatency', start: epoch(this.#startedMs), durationMs: rounded(firstMs - this.#startedMs) },
        { name: 'responseDuration', start: epoch(firstMs), durationMs: rounded(nowMs - firstMs) },
      ],
      ...this.#tracing(),
    });
  }

  #tracing(): object {
    const { trace } = this.head;
    return trace === undefined ? {} : { tracing: { type: 'X-Amzn-Trace-Id', value: trace } };
  }
}
