import type { Clock, Timer } from '../../kernel/mod.ts';
import type { Exit, Flow, Instance, InvocationAnswer, InvocationListener, Step } from '../../ports/mod.ts';
import { FRAME, FrameError, InvokeEncoder, streamOf } from '../../protocol/mod.ts';
import type { EncodableEvent, FrameKind, InvokeHead, LogLevel } from '../../protocol/mod.ts';
import type { EventPipe } from './event-pipe.ts';
import type { Link, LinkListener } from './link.ts';
import { readExitCode, readFunctionError, readLog, readReady, readSteps, readStreamHead } from './payloads.ts';
import { INSTANCE_STEPS, PROCESS_STEPS, processTimes, Steps } from './steps.ts';

export type LinkedInstanceOptions = {
  readonly link: Link;
  readonly start: Instance['start'];
  readonly clock: Clock;
  /**
   * Ends the process and all that it started. Called once, also when it ended by itself: its children may be left. `wanted`: it was to end;
   * otherwise what became of it is still to be reported.
   */
  readonly end: (wanted: boolean) => void;
  /** Whether the driver calls `reportExit`. If not, the closing of the link is all that is known. */
  readonly reportsExit: boolean;
  /** One that is killed is given time to end by itself, and is heard meanwhile: called instead of closing the link, as far as `end` sees to the rest. */
  readonly linger?: (link: Link) => void;
  /** The process runs init first: a ready frame comes before any answer. */
  readonly booting?: boolean;
  /** The same, where the driver hears of it: settles when init is over, and never fails. */
  readonly ready?: Promise<void>;
};

/** How long the link's last bytes are awaited after the driver's report. */
const LAST_WORD_MS = 1_000;
/** And the driver's report after the link has closed. It comes: this is for what can't be killed. On a busy machine the news of an end take seconds. */
const REPORT_MS = 20_000;
const MAX_STREAM_ID = 0xffff_ffff;
const MEMORY_BYTES = 4;

/** For all links: what is written is taken at once. */
const encoder = new InvokeEncoder();

/** An instance at the other end of a link. */
export class LinkedInstance implements Instance, LinkListener {
  readonly start: Instance['start'];
  readonly closed: Promise<Exit>;
  readonly ready?: Promise<void>;
  readonly steps: Steps;
  readonly handAhead?: Required<Instance>['handAhead'];
  readonly recall?: Required<Instance>['recall'];
  onLog: ((text: string, level: LogLevel) => void) | undefined;
  readonly #link: Link;
  readonly #options: LinkedInstanceOptions;
  readonly #running = new Map<number, Running>();
  readonly #settleClosed: (exit: Exit) => void;
  #nextStream = 1;
  /** Running invocations whose frames were no packets. */
  #large = 0;
  #paused = 0;
  #booting: boolean;
  #settleReady: () => void = () => {};
  readonly #madeMs: number;
  #stepsTold = false;
  #killed = false;
  #endCalled = false;
  /** What the process said it would do, and what became of it as the driver saw it. */
  #announced: Exit | undefined;
  #reported: Exit | undefined;
  /** Until the report. */
  #patience: Timer | undefined;
  /** The end of everything: set once. */
  #exit: Exit | undefined;

  constructor(options: LinkedInstanceOptions) {
    this.#options = options;
    this.start = options.start;
    this.steps = new Steps(options.clock);
    this.#madeMs = options.clock.monotonicMs();
    this.#booting = options.booting ?? false;
    if (options.ready) this.ready = options.ready;
    else if (this.#booting) ({ promise: this.ready, resolve: this.#settleReady } = Promise.withResolvers<void>());
    const { promise, resolve } = Promise.withResolvers<Exit>();
    this.closed = promise;
    this.#settleClosed = resolve;
    this.#link = options.link;
    this.#link.listener = this;
    const { events } = options.link;
    if (events) {
      this.handAhead = (head, event, listener) => this.#handAhead(events, head, event, listener);
      this.recall = () => this.#recall(events);
    }
    if (!this.#link.open) queueMicrotask(() => this.onClosed());
  }

  /** False once it takes no more invocations. */
  get alive(): boolean {
    return this.#link.open && !this.#killed && this.#announced === undefined && this.#reported === undefined;
  }

  takeSteps(): readonly Step[] {
    return this.steps.take();
  }

  /** The number of the invocation that has been running longest. Undefined: none runs. */
  get oldest(): number | undefined {
    return this.#running.keys().next().value;
  }

  invoke(head: InvokeHead, event: EncodableEvent, listener: InvocationListener): Flow {
    const running = new Running(this, listener);
    const exit = this.#exit;
    if (exit) {
      queueMicrotask(() => listener.end({ kind: 'died', exit }));
      return running;
    }
    const stream = this.#takeStream();
    this.#running.set(stream, running);
    encoder.encode(stream, head, event);
    const { events } = this.#link;
    if (events) {
      if (!events.write(encoder.frame, encoder.length)) {
        running.large = true;
        this.#large++;
      }
    } else this.#link.write(encoder.frame, encoder.length);
    return running;
  }

  #handAhead(events: EventPipe, head: InvokeHead, event: EncodableEvent, listener: InvocationListener): Flow | undefined {
    // Behind a frame that isn't a packet its own beginning could be taken for the end of that.
    if (!this.alive || this.#running.size === 0 || this.#large > 0) return undefined;
    const stream = this.#takeStream();
    encoder.encode(stream, head, event);
    if (!events.writePacket(encoder.frame, encoder.length)) return undefined;
    const running = new Running(this, listener);
    running.handed = running.ahead = true;
    this.#running.set(stream, running);
    return running;
  }

  /** What was handed ahead and has not begun comes back; one whose turn has come, and that was only not read yet, stays. */
  #recall(events: EventPipe): void {
    this.#takeBack(
      events,
      ({ ahead }) => ahead,
      (frame) => events.write(frame, frame.length),
    );
  }

  /** The process reads nothing any more: what it was handed ahead and has not read is not lost with it. */
  #giveBack(): void {
    const { events } = this.#link;
    if (events) this.#takeBack(events, ({ handed }) => handed);
  }

  /** Ends those of the unread invocations that are `wanted` as not begun, the last one first; before that `other` gets the frames of others. */
  #takeBack(events: EventPipe, wanted: (running: Running) => boolean, other?: (frame: Buffer) => void): void {
    const back: Running[] = [];
    for (const frame of events.take()) {
      const stream = streamOf(frame);
      const running = this.#running.get(stream);
      if (running && wanted(running)) {
        this.#running.delete(stream);
        back.push(running);
      } else other?.(frame);
    }
    for (const running of back.reverse()) running.finish({ kind: 'notBegun' });
  }

  kill(): void {
    if (this.#killed || this.#exit) return;
    this.#killed = true;
    this.#giveBack();
    this.#endOnce(true);
    // Later, so that nobody hears of an end from within their own call.
    queueMicrotask(() => {
      if (this.#options.linger) this.#options.linger(this.#link);
      else this.#link.destroy();
      this.#conclude({ kind: 'ended' });
    });
  }

  /** The driver has seen the process end. */
  reportExit(exit: Exit): void {
    if (this.#reported) return;
    this.#reported = exit;
    this.#patience?.cancel();
    if (this.#exit) this.#settleClosed(this.#exit);
    // What it sent at last may still be on its way.
    else if (this.#link.open) this.#options.clock.after(LAST_WORD_MS, () => this.#link.destroy());
    else this.#conclude(exit);
  }

  onFrame(kind: FrameKind, stream: number, payload: Buffer): void {
    switch (kind) {
      case FRAME.response: {
        const memoryKiB = readMemory(payload);
        this.#answer(stream, false, { kind: 'answered', memoryKiB, payload: payload.subarray(MEMORY_BYTES) });
        return;
      }
      case FRAME.error: {
        const memoryKiB = readMemory(payload);
        const error = readFunctionError(payload.subarray(MEMORY_BYTES));
        this.#answer(stream, false, { kind: 'failed', error, memoryKiB });
        return;
      }
      case FRAME.streamHead: {
        const running = this.#find(stream);
        if (running.streaming || running.answered) throw new FrameError('an answer began twice');
        running.streaming = true;
        running.listener.streamHead(readStreamHead(payload));
        return;
      }
      case FRAME.streamChunk: {
        const running = this.#find(stream);
        if (!running.streaming || running.answered) throw new FrameError('a streamed answer has no beginning');
        running.listener.streamChunk(payload);
        return;
      }
      case FRAME.streamEnd: {
        const memoryKiB = readMemory(payload);
        const error = payload.length > MEMORY_BYTES ? { error: readFunctionError(payload.subarray(MEMORY_BYTES)) } : undefined;
        this.#answer(stream, true, { kind: 'streamed', memoryKiB, ...error });
        return;
      }
      case FRAME.goesOn: {
        const running = this.#find(stream);
        if (running.goesOn) throw new FrameError('an invocation goes on already');
        running.goesOn = true;
        return;
      }
      case FRAME.over: {
        const memoryKiB = readMemory(payload);
        const running = this.#find(stream);
        if (!running.answered) throw new FrameError('an invocation is over that was not answered');
        this.#remove(stream, running);
        running.finish(running.kept ?? { kind: 'over', memoryKiB });
        return;
      }
      case FRAME.log: {
        const { text, level } = readLog(payload);
        if (stream === 0) this.onLog?.(text, level);
        else this.#find(stream).listener.log(text, level);
        return;
      }
      case FRAME.exit:
        this.#announced ??= { kind: 'exited', code: readExitCode(payload) };
        return;
      case FRAME.ready:
        if (!this.#booting) throw new FrameError('an instance became ready twice');
        this.#booting = false;
        this.#settleReady();
        this.steps.addTold(PROCESS_STEPS, processTimes(readReady(payload)), this.#madeMs);
        this.steps.add('ready heard');
        return;
      case FRAME.steps:
        if (this.#stepsTold) throw new FrameError('an instance told twice how it came to be');
        this.#stepsTold = true;
        this.steps.addTold(INSTANCE_STEPS, readSteps(payload), this.#madeMs);
        return;
      case FRAME.initError:
        // The process has logged the error, and ends.
        if (!this.#booting) throw new FrameError('init failed after it was done');
        this.#announced ??= { kind: 'exited', code: 1 };
        return;
      case FRAME.compileCache:
        throw new FrameError('a compile cache came after init');
      case FRAME.invoke:
      case FRAME.invokeForm:
        throw new FrameError('an instance sent an invocation');
    }
  }

  onClosed(violation?: string): void {
    this.#giveBack();
    if (violation !== undefined) this.#conclude({ kind: 'violated', message: violation });
    else if (this.#killed) this.#conclude({ kind: 'ended' });
    else if (this.#reported ?? this.#announced) this.#conclude((this.#reported ?? this.#announced)!);
    else if (this.#options.reportsExit) {
      // Ending what may have ended already makes the driver look, and report.
      this.#endOnce(false);
      this.#patience = this.#options.clock.after(REPORT_MS, () => this.#conclude({ kind: 'ended' }));
    } else this.#conclude({ kind: 'ended' });
  }

  hold(): void {
    if (this.#paused++ === 0) this.#link.pause();
  }

  release(): void {
    if (--this.#paused === 0) this.#link.resume();
  }

  #conclude(exit: Exit): void {
    if (this.#exit) return;
    this.#exit = exit;
    this.#patience?.cancel();
    this.#settleReady();
    this.#endOnce(true);
    this.#killed = true;
    for (const running of this.#running.values()) running.finish({ kind: 'died', exit });
    this.#running.clear();
    if (this.#reported || !this.#options.reportsExit) this.#settleClosed(exit);
    else this.#patience = this.#options.clock.after(REPORT_MS, () => this.#settleClosed(exit));
  }

  #endOnce(wanted: boolean): void {
    if (this.#endCalled) return;
    this.#endCalled = true;
    this.#options.end(wanted);
  }

  #takeStream(): number {
    const stream = this.#nextStream;
    this.#nextStream = stream === MAX_STREAM_ID ? 1 : stream + 1;
    return stream;
  }

  #find(stream: number): Running {
    const running = this.#running.get(stream);
    if (!running || running.ahead) throw new FrameError(`a frame is about invocation ${stream}, which is not running`);
    return running;
  }

  #answer(stream: number, streaming: boolean, answer: InvocationAnswer): void {
    const running = this.#find(stream);
    if (running.answered) throw new FrameError('an invocation was answered twice');
    if (running.streaming !== streaming)
      throw new FrameError(streaming ? 'a streamed answer has no beginning' : 'a streamed answer was answered once more');
    if (running.goesOn) return running.answer(answer);
    this.#remove(stream, running);
    running.finish(answer);
  }

  #remove(stream: number, running: Running): void {
    this.#running.delete(stream);
    if (running.large) this.#large--;
    if (this.#running.size > 0) this.#nextTurn();
  }

  /** With several at a time nobody is ahead. */
  #nextTurn(): void {
    const [next] = this.#running.values();
    next!.ahead = false;
  }
}

/**
 * One invocation. Holding back its answer holds back all that the process sends: with several at a time a slow reader slows its
 * neighbours in the same instance down.
 */
class Running implements Flow {
  streaming = false;
  /** It was handed ahead, and its turn has not come. */
  ahead = false;
  handed = false;
  /** Its frame was no packet. */
  large = false;
  /** Its answer does not end it. */
  goesOn = false;
  answered = false;
  /** The answer, for a listener that hears of it at the end. */
  kept: InvocationAnswer | undefined;
  readonly listener: InvocationListener;
  readonly #instance: LinkedInstance;
  #paused = false;
  #over = false;

  constructor(instance: LinkedInstance, listener: InvocationListener) {
    this.#instance = instance;
    this.listener = listener;
  }

  pause(): void {
    if (this.#paused || this.#over) return;
    this.#paused = true;
    this.#instance.hold();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#instance.release();
  }

  /** It goes on. */
  answer(answer: InvocationAnswer): void {
    this.answered = true;
    this.resume();
    if (this.listener.answered) this.listener.answered(answer);
    else this.kept = answer.kind === 'answered' ? { ...answer, payload: Buffer.from(answer.payload) } : answer;
  }

  finish(end: Parameters<InvocationListener['end']>[0]): void {
    this.#over = true;
    this.resume();
    this.listener.end(end);
  }
}

function readMemory(payload: Buffer): number {
  if (payload.length < MEMORY_BYTES) throw new FrameError('an answer is too short');
  return payload.readUInt32LE(0);
}
