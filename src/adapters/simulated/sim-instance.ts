import { assert } from '../../kernel/mod.ts';
import type { Clock } from '../../kernel/mod.ts';
import type { Exit, Flow, Instance, InvocationEnd, InvocationListener, Step } from '../../ports/mod.ts';
import { jsonOf } from '../../protocol/mod.ts';
import type { EncodableEvent, InvokeHead, LogLevel, StreamHead, FunctionError } from '../../protocol/mod.ts';
import type { Dice, SimFaults } from './sim-faults.ts';
import { simError } from './sim-function.ts';
import type { SimCall, SimHandler } from './sim-function.ts';

export type SimInstanceOptions = {
  readonly clock: Clock;
  readonly dice: Dice;
  readonly faults: SimFaults;
  readonly start: Instance['start'];
  readonly startMs: number;
  /** From `kill` until the end is known. */
  readonly exitMs: number;
  readonly concurrency: number;
  readonly handsAhead: boolean;
  readonly handler: SimHandler;
  /** It was handed an invocation ahead. */
  readonly handed: () => void;
  /** The process is no more. */
  readonly ended: (instance: SimInstance) => void;
};

export class SimInstance implements Instance {
  readonly start: Instance['start'];
  readonly closed: Promise<Exit>;
  readonly ready?: Promise<void>;
  onLog: ((text: string, level: LogLevel) => void) | undefined;
  readonly #options: SimInstanceOptions;
  readonly handAhead?: Required<Instance>['handAhead'];
  readonly recall?: Required<Instance>['recall'];
  readonly #calls = new Set<Call>();
  readonly #ahead: Call[] = [];
  readonly #close: (exit: Exit) => void;
  #exit: Exit | undefined;
  #up = false;
  #steps: Step[] = [];

  constructor(options: SimInstanceOptions) {
    this.#options = options;
    this.start = options.start;
    const { promise, resolve } = Promise.withResolvers<Exit>();
    this.closed = promise;
    this.#close = resolve;
    if (options.handsAhead) {
      this.handAhead = (head, event, listener) => this.#handAhead(head, event, listener);
      this.recall = () => this.#recall();
    }
    const ready = Promise.withResolvers<void>();
    if (options.start !== 'fork') this.ready = ready.promise;
    this.#step(options.start === 'boot' ? 'sandbox ordered' : 'fork ordered');
    const fails = options.dice.happens(options.faults.forkFails);
    options.clock.after(options.startMs, () => {
      ready.resolve();
      if (fails) this.end({ kind: 'ended' });
      if (this.#exit) return;
      this.#up = true;
      this.#step('instance ready');
      for (const call of this.#calls) this.#run(call);
    });
  }

  get alive(): boolean {
    return this.#exit === undefined;
  }

  takeSteps(): readonly Step[] {
    return this.#steps.splice(0);
  }

  #step(name: string): void {
    this.#steps.push({ name, atMs: this.#options.clock.monotonicMs() });
  }

  invoke(head: InvokeHead, event: EncodableEvent, listener: InvocationListener): Flow {
    const { clock, concurrency } = this.#options;
    const call = new Call(this, clock, head, Buffer.from(jsonOf(event)), listener);
    if (this.#exit) {
      const exit = this.#exit;
      clock.after(0, () => call.finish({ kind: 'died', exit }));
      return call;
    }
    assert(this.#calls.size < concurrency, `an instance was given invocation ${this.#calls.size + 1} of ${concurrency} at a time`);
    this.#calls.add(call);
    if (this.#up) clock.after(0, () => this.#run(call));
    return call;
  }

  #handAhead(head: InvokeHead, event: EncodableEvent, listener: InvocationListener): Flow | undefined {
    if (this.#exit || this.#calls.size === 0 || this.#ahead.length >= MOST_AHEAD) return undefined;
    const call = new Call(this, this.#options.clock, head, Buffer.from(jsonOf(event)), listener);
    this.#ahead.push(call);
    this.#options.handed();
    return call;
  }

  #recall(): void {
    for (let call = this.#ahead.pop(); call; call = this.#ahead.pop()) call.finish({ kind: 'notBegun' });
  }

  kill(): void {
    if (this.#exit) return;
    this.#recall();
    const exit: Exit = { kind: 'ended' };
    this.#exit = exit;
    this.#options.ended(this);
    this.#options.clock.after(this.#options.exitMs, () => this.#settle(exit));
  }

  /** Ends at once, by itself or with all others. */
  end(exit: Exit): void {
    if (!this.#exit) {
      this.#exit = exit;
      this.#options.ended(this);
    }
    this.#settle(this.#exit);
  }

  done(call: Call): void {
    if (!this.#calls.delete(call) || this.#exit) return;
    const next = this.#ahead.shift();
    if (!next) return;
    this.#calls.add(next);
    this.#options.clock.after(0, () => this.#run(next));
  }

  #settle(exit: Exit): void {
    this.#recall();
    for (const call of this.#calls) call.finish({ kind: 'died', exit });
    this.#close(exit);
  }

  #run(call: Call): void {
    if (this.#exit || call.ended) return;
    const { dice, faults, handler } = this.#options;
    if (dice.happens(faults.neverAnswers)) return;
    if (dice.happens(faults.dies)) {
      const exit = DEATHS[Math.floor(dice.fraction() * DEATHS.length)]!;
      call.after(dice.fraction() * 20, () => this.end(exit));
    }
    if (dice.happens(faults.violates)) {
      this.end({ kind: 'violated', message: 'a frame has the unknown kind 255' });
      return;
    }
    try {
      handler(call);
    } catch (error) {
      call.fail(simError(error));
    }
  }
}

const DEATHS: readonly Exit[] = [
  { kind: 'exited', code: 0 },
  { kind: 'exited', code: 1 },
  { kind: 'signalled', signal: 'SIGSEGV' },
  { kind: 'outOfMemory' },
  { kind: 'ended' },
];

/** As a pipe has room for some. */
const MOST_AHEAD = 8;
const MEMORY_KIB = 40 * 1024;

class Call implements SimCall, Flow {
  readonly head: InvokeHead;
  readonly event: Buffer;
  readonly #instance: SimInstance;
  readonly #clock: Clock;
  readonly #listener: InvocationListener;
  #paused = false;
  #drained: (() => void) | undefined;
  #goesOn = false;
  ended = false;

  constructor(instance: SimInstance, clock: Clock, head: InvokeHead, event: Buffer, listener: InvocationListener) {
    this.#instance = instance;
    this.#clock = clock;
    this.head = head;
    this.event = event;
    this.#listener = listener;
  }

  input(): Record<string, unknown> {
    return JSON.parse(this.event.toString()) as Record<string, unknown>;
  }

  log(text: string, level: LogLevel = 'INFO'): void {
    if (this.#running()) this.#listener.log(text, level);
  }

  childOutput(text: string, level: LogLevel = 'INFO'): void {
    if (this.#running()) this.#instance.onLog?.(text, level);
  }

  after(ms: number, run: () => void): void {
    this.#clock.after(ms, () => {
      if (this.#running()) run();
    });
  }

  respond(value: unknown): void {
    if (this.#running()) {
      this.finish({ kind: 'answered', payload: Buffer.from(JSON.stringify(value) ?? 'null'), memoryKiB: MEMORY_KIB });
    }
  }

  fail(error: FunctionError): void {
    if (this.#running()) this.finish({ kind: 'failed', error, memoryKiB: MEMORY_KIB });
  }

  streamHead(head: StreamHead): void {
    if (this.#running()) this.#listener.streamHead(head);
  }

  streamChunk(chunk: Uint8Array): boolean {
    // The port's chunks are views that don't last.
    if (this.#running()) this.#listener.streamChunk(Buffer.from(chunk));
    return !this.#paused;
  }

  drained(run: () => void): void {
    if (this.#paused) this.#drained = run;
    else this.after(0, run);
  }

  streamEnd(error?: FunctionError): void {
    if (this.#running()) this.finish({ kind: 'streamed', memoryKiB: MEMORY_KIB, ...(error && { error }) });
  }

  goesOn(): void {
    this.#goesOn = true;
  }

  over(): void {
    if (this.#running()) this.finish({ kind: 'over', memoryKiB: MEMORY_KIB });
  }

  exit(exit: Exit): void {
    // Also right after its answer, as a process does that reports an error before it ends.
    if (this.#instance.alive) this.#instance.end(exit);
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    const run = this.#drained;
    this.#drained = undefined;
    if (run) this.after(0, run);
  }

  finish(end: InvocationEnd): void {
    if (this.ended) return;
    if (this.#goesOn && end.kind !== 'over' && end.kind !== 'died' && end.kind !== 'notBegun') {
      this.#goesOn = false;
      this.#listener.answered!(end);
      return;
    }
    this.ended = true;
    this.#instance.done(this);
    this.#listener.end(end);
  }

  #running(): boolean {
    return !this.ended && this.#instance.alive;
  }
}
