/**
 * Functions that are modules in a process of their own, whose runtime speaks frames from its beginning: with extensions where there is no
 * sandbox, or started by a wrapper. It begins, or not, when its environment lets it; who wants an instance has one before that.
 */
import type { Clock } from '../../kernel/mod.ts';
import type { Exit, Flow, InitFailure, Instance, InvocationListener, SandboxSpec, Step } from '../../ports/mod.ts';
import type { EncodableEvent, FunctionError, InvokeHead, LogLevel } from '../../protocol/mod.ts';
import { LinkedInstance, PROCESS_STEPS, Steps, awaitReady, processTimes } from '../link/mod.ts';
import type { Link, Ready } from '../link/mod.ts';
import type { Environment } from './environment.ts';
import { ExtendedInstance } from './extended-instance.ts';
import { hearInit } from './program-template.ts';
import type { StartedProgram } from './program-template.ts';
import { wrapperOf } from './wrapper.ts';

type Log = (text: string, level: LogLevel) => void;

export type ModuleProcess = { readonly link: Link; readonly exited: Promise<Exit> };

/** What there is of an instance before there is a process. */
export interface Awaited {
  /** Nobody has ended it meanwhile. */
  readonly alive: boolean;
  /** The number of the invocation that it is at work on; 0: on its init. */
  readonly oldest: number | undefined;
  readonly steps: Steps;
  reportExit(exit: Exit): void;
}

export type ModuleOptions = {
  readonly clock: Clock;
  readonly spec: SandboxSpec;
  readonly environment: Environment;
  readonly start: Instance['start'];
  readonly log: Log | undefined;
  /** Starts the process; an error is the function's own. */
  readonly begin: (awaited: Awaited) => Promise<ModuleProcess | FunctionError>;
  /** The process is this instance's from now on. */
  readonly became?: (instance: LinkedInstance) => void;
  /** Its environment is to end; `wanted`: not because the process has ended. */
  readonly end: (wanted: boolean) => void;
};

export function startModule({ clock, spec, environment, start, log, begin, became, end }: ModuleOptions): StartedProgram {
  const { initTimeoutMs } = spec;
  const late = new LateInstance(start, clock, () => end(true));
  const instance = new ExtendedInstance({ inner: late, environment, clock, asks: false });
  instance.onLog = log;
  const gone = Promise.withResolvers<InitFailure>();
  const run = async (): Promise<Ready | InitFailure> => {
    const begun = await begin(late);
    if ('errorType' in begun) return { kind: 'failed', error: begun, initMs: 0 };
    const { link, exited } = begun;
    const beganMs = clock.monotonicMs();
    void exited.then((exit) => gone.resolve({ kind: 'exited', exit, initMs: 0 }));
    const listener = { log: (text: string, level: LogLevel) => environment.functionLine(text, level) };
    const heard = await awaitReady({ link, initTimeoutMs, clock, listener, exited: () => exited });
    if (heard.kind !== 'ready') return heard;
    late.steps.addTold(PROCESS_STEPS, processTimes(heard.payload), beganMs);
    late.steps.add('ready heard');
    const inner = new LinkedInstance({ link, start, clock, end, reportsExit: true, linger: () => link.finish() });
    void exited.then((exit) => inner.reportExit(exit));
    became?.(inner);
    late.become(inner);
    environment.runtimeWaits(true);
    return withReasons(heard, spec, environment);
  };
  return { instance, heard: hearInit<Ready>({ clock, initTimeoutMs, environment, runtime: run(), ended: gone.promise }) };
}

/** A program that was started for one instance is not forked, whatever its init leaves open. */
function withReasons(heard: Ready, spec: SandboxSpec, { extensions }: Environment): Ready {
  const wrapper = wrapperOf(spec);
  const blockers = [
    ...(wrapper === undefined ? [] : [{ kind: 'exec wrapper', detail: wrapper }]),
    ...heard.payload.blockers,
    ...extensions.map(({ kind, name }) => ({ kind: `${kind} extension`, detail: name })),
  ];
  return { ...heard, payload: { ...heard.payload, blockers } };
}

/** In place of the number of an invocation. */
const INIT = 0;

/** An instance whose process is yet to begin. */
class LateInstance implements Instance, Awaited {
  readonly start: Instance['start'];
  readonly closed: Promise<Exit>;
  readonly steps: Steps;
  readonly #settle: (exit: Exit) => void;
  readonly #end: () => void;
  #inner: LinkedInstance | undefined;
  #onLog: Instance['onLog'];
  #killed = false;

  constructor(start: Instance['start'], clock: Clock, end: () => void) {
    this.start = start;
    this.steps = new Steps(clock);
    this.#end = end;
    const { promise, resolve } = Promise.withResolvers<Exit>();
    this.closed = promise;
    this.#settle = resolve;
  }

  become(inner: LinkedInstance): void {
    this.#inner = inner;
    inner.onLog = this.#onLog;
    void inner.closed.then(this.#settle);
    if (this.#killed) inner.kill();
  }

  get alive(): boolean {
    return !this.#killed && (this.#inner?.alive ?? true);
  }

  get oldest(): number | undefined {
    return this.#inner ? this.#inner.oldest : INIT;
  }

  get onLog(): Instance['onLog'] {
    return this.#onLog;
  }

  set onLog(onLog: Instance['onLog']) {
    this.#onLog = onLog;
    if (this.#inner) this.#inner.onLog = onLog;
  }

  takeSteps(): readonly Step[] {
    return [...this.steps.take(), ...(this.#inner?.takeSteps() ?? [])].sort((a, b) => a.atMs - b.atMs);
  }

  reportExit(exit: Exit): void {
    this.#inner?.reportExit(exit);
  }

  /** Only when its environment is ready: then the process is there. */
  invoke(head: InvokeHead, event: EncodableEvent, listener: InvocationListener): Flow {
    return this.#inner!.invoke(head, event, listener);
  }

  kill(): void {
    if (this.#killed) return;
    this.#killed = true;
    if (this.#inner) return this.#inner.kill();
    this.#end();
    this.#settle({ kind: 'ended' });
  }
}
