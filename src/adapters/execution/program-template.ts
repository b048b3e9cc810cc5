import type { Clock } from '../../kernel/mod.ts';
import type { BootListener, BootResult, Exit, InitFailure, Instance, Step, Template } from '../../ports/mod.ts';
import type { LogLevel } from '../../protocol/mod.ts';
import type { ProgramInstance } from './program-instance.ts';

/** A program on its way to its first event. `heard`: what its init comes to. */
export type StartedProgram = { readonly instance: ProgramInstance; readonly heard: Promise<InitFailure | 'ready'> };

export type StartProgram = (log?: (text: string, level: LogLevel) => void) => StartedProgram;

/** The program that has shown that init succeeds becomes the first instance; each further one is started, and runs init, anew. */
export async function bootProgram(clock: Clock, start: StartProgram, listener: BootListener): Promise<BootResult> {
  const startedMs = clock.monotonicMs();
  const { instance, heard } = start((text, level) => listener.log(text, level));
  const outcome = await heard;
  if (outcome === 'ready') {
    return { ok: true, template: new ProgramTemplate(clock.monotonicMs() - startedMs, instance, () => start().instance) };
  }
  instance.kill();
  return { ok: false, failure: outcome };
}

export type HearOptions = {
  readonly clock: Clock;
  readonly initTimeoutMs: number;
  readonly instance: ProgramInstance;
  /** How it came to nothing, as the driver has seen it. */
  readonly ended: Promise<InitFailure>;
};

/** What comes first: the program asks for an event, says that it cannot, ends, or time is up. */
export async function hearInit({ clock, initTimeoutMs, instance, ended }: HearOptions): Promise<InitFailure | 'ready'> {
  const startedMs = clock.monotonicMs();
  const initMs = () => clock.monotonicMs() - startedMs;
  const timedOut = Promise.withResolvers<InitFailure>();
  const timer = clock.after(initTimeoutMs, () => timedOut.resolve({ kind: 'timedOut', initMs: initMs() }));
  const first = await Promise.race([ended, instance.initialised, timedOut.promise]);
  timer.cancel();
  if (first.kind === 'ready') return 'ready';
  return 'initMs' in first ? first : { ...first, initMs: initMs() };
}

class ProgramTemplate implements Template {
  readonly initMs: number;
  readonly streaming = false;
  readonly forks = false;
  readonly blockers = [];
  readonly steps: readonly Step[];
  readonly closed: Promise<Exit>;
  readonly #settle: (exit: Exit) => void;
  readonly #start: () => Instance;
  /** The one that has shown that init succeeds, until it is given away. */
  #first: ProgramInstance | undefined;
  #open = true;

  constructor(initMs: number, first: ProgramInstance, start: () => Instance) {
    this.initMs = initMs;
    this.steps = first.takeSteps();
    this.#first = first;
    this.#start = start;
    const { promise, resolve } = Promise.withResolvers<Exit>();
    this.closed = promise;
    this.#settle = resolve;
  }

  fork(): Instance {
    const first = this.#first;
    this.#first = undefined;
    if (first?.alive) {
      first.onLog = undefined;
      return first;
    }
    const instance = this.#start();
    // Nobody gives the instances of a closed template work.
    if (!this.#open) instance.kill();
    return instance;
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#first?.kill();
    this.#first = undefined;
    this.#settle({ kind: 'ended' });
  }
}
