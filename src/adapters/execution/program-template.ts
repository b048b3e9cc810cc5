import type { Clock } from '../../kernel/mod.ts';
import type { BootListener, BootResult, InitFailure, Template } from '../../ports/mod.ts';
import type { FunctionError, LogLevel } from '../../protocol/mod.ts';
import type { Environment } from './environment.ts';
import type { ExtendedInstance } from './extended-instance.ts';
import { FirstTemplate } from './first-template.ts';
import { Spare } from './spare.ts';

/** A program on its way to its first event. `heard`: what its init comes to. */
export type StartedProgram = { readonly instance: ExtendedInstance; readonly heard: Promise<InitFailure | Heard> };

/** `payload`: a module has more to say of itself. */
type Heard = { readonly kind: 'ready'; readonly payload?: Pick<Template, 'streaming' | 'blockers'> };

export type StartProgram = (log?: (text: string, level: LogLevel) => void) => StartedProgram;

/**
 * The program that has shown that init succeeds becomes the first instance; each further one is started, and runs init, anew. Where several are
 * asked for, the next is started ahead.
 */
export async function bootProgram(clock: Clock, start: StartProgram, listener: BootListener): Promise<BootResult> {
  const startedMs = clock.monotonicMs();
  const { instance, heard } = start((text, level) => listener.log(text, level));
  const outcome = await heard.catch((error: unknown) => {
    instance.kill();
    throw error;
  });
  if (outcome.kind === 'ready') {
    const { streaming, blockers } = { streaming: false, blockers: [], ...outcome.payload };
    const facts = { initMs: clock.monotonicMs() - startedMs, streaming, blockers, steps: instance.takeSteps() };
    const spare = new Spare({
      clock,
      quietMs: QUIET_MS,
      // Whoever takes it hears the rest.
      make: () => startAgain(start, (text, level) => listener.log(text, level)),
      unused: (unused) => listener.unused?.(unused.takeSteps()),
    });
    const take = () => {
      const { instance: ahead } = spare;
      const taken = spare.take();
      if (taken === ahead) taken.steps.add('spare taken');
      return taken;
    };
    return { ok: true, template: new FirstTemplate(facts, { first: instance, start: take, onClose: () => spare.stop() }) };
  }
  instance.kill();
  return { ok: false, failure: outcome };
}

/** Less than a program takes to start: the next who asks is to find it started. */
const QUIET_MS = 4;

/** What it is given meanwhile ends with it when its init fails. */
function startAgain(start: StartProgram, log: (text: string, level: LogLevel) => void): ExtendedInstance {
  const { instance, heard } = start(log);
  heard.then(
    (outcome) => {
      if (outcome.kind !== 'ready') instance.abort(outcome.kind === 'exited' ? outcome.exit : { kind: 'exited', code: 1 });
    },
    // The driver has told why.
    () => instance.abort({ kind: 'ended' }),
  );
  return instance;
}

export type HearOptions<T> = {
  readonly clock: Clock;
  readonly initTimeoutMs: number;
  readonly environment: Environment;
  /** What the runtime's own init comes to, as far as it says so or as the driver has seen it end. */
  readonly runtime: Promise<T | InitFailure | { readonly kind: 'failed'; readonly error: FunctionError }>;
  /** How it came to nothing later, while extensions were still awaited. */
  readonly ended: Promise<InitFailure>;
};

/** What comes first: the runtime and all extensions ask for an event, one of them says that it cannot, or ends, or time is up. */
export async function hearInit<T extends { readonly kind: 'ready' }>(options: HearOptions<T>): Promise<T | InitFailure> {
  const { clock, initTimeoutMs, environment, runtime, ended } = options;
  const startedMs = clock.monotonicMs();
  const initMs = () => clock.monotonicMs() - startedMs;
  const timedOut = Promise.withResolvers<InitFailure>();
  const timer = clock.after(initTimeoutMs, () => timedOut.resolve({ kind: 'timedOut', initMs: initMs() }));
  // What could not be started has no init that takes time.
  runtime.catch(() => timer.cancel());
  const broken = environment.failure.then((error): InitFailure => ({ kind: 'failed', error, initMs: initMs() }));
  const first = await Promise.race([runtime, timedOut.promise, broken]);
  const last = first.kind === 'ready' ? await Promise.race([ended, timedOut.promise, broken, environment.initialised]) : first;
  timer.cancel();
  if (last === undefined) return first as T;
  if (last.kind === 'timedOut') environment.runtimeFailed('timeout');
  else environment.runtimeFailed('error', last.kind === 'failed' ? last.error.errorType : 'Runtime.ExitError');
  return 'initMs' in last ? last : { ...last, initMs: initMs() };
}
