import type { Clock } from '../../kernel/mod.ts';
import type {
  BootListener,
  BootResult,
  Exit,
  Flow,
  InitFailure,
  Instance,
  InvocationListener,
  SandboxSpec,
  Step,
} from '../../ports/mod.ts';
import type { EncodableEvent, InvokeHead, LogLevel } from '../../protocol/mod.ts';
import { ExtendedInstance, bootProgram, hearInit } from '../execution/mod.ts';
import type { StartedProgram } from '../execution/mod.ts';
import { LinkedInstance, awaitReady } from '../link/mod.ts';
import type { Ready } from '../link/mod.ts';
import type { Environments, Opened } from './environments.ts';
import type { FunctionProcess } from './function-process.ts';

export type ExtendedOptions = {
  readonly clock: Clock;
  readonly environments: Environments;
  /** Throws when the operating system refuses. */
  readonly launch: (spec: SandboxSpec) => FunctionProcess;
  /** It belongs to this instance from now on. */
  readonly watch: (process: FunctionProcess, instance: LinkedInstance) => void;
};

/** Functions that are modules, with external extensions: their process begins when those have registered. */
export async function bootExtended(
  options: ExtendedOptions,
  spec: SandboxSpec,
  external: readonly string[],
  listener: BootListener,
): Promise<BootResult> {
  const { clock, environments } = options;
  return await bootProgram(clock, (log) => start(options, spec, environments.open(spec, external), log), listener);
}

type Log = (text: string, level: LogLevel) => void;

function start({ clock, launch, watch }: ExtendedOptions, spec: SandboxSpec, opened: Opened, log: Log | undefined): StartedProgram {
  const { environment } = opened;
  const { initTimeoutMs } = spec;
  const late = new LateInstance(() => opened.end(true));
  const instance = new ExtendedInstance({ inner: late, environment, clock, asks: false });
  instance.onLog = log;
  const gone = Promise.withResolvers<InitFailure>();
  const lines: Log = (text, level) => environment.functionLine(text, level);
  const run = async (): Promise<Ready | InitFailure> => {
    const given = await opened.spec;
    if (environment.failed) return { kind: 'failed', error: environment.failed, initMs: 0 };
    const process = launch(given);
    const { exited, link } = process;
    process.onOutput = lines;
    opened.attach(process);
    if (!instance.alive) process.kill();
    void exited.then((exit) => gone.resolve({ kind: 'exited', exit, initMs: 0 }));
    const heard = await awaitReady({ link, initTimeoutMs, clock, listener: { log: lines }, exited: () => exited });
    if (heard.kind !== 'ready') return heard;
    const end = (wanted: boolean) => opened.end(wanted);
    const inner = new LinkedInstance({ link, start: 'spawn', clock, end, reportsExit: true, linger: () => link.finish() });
    void exited.then((exit) => inner.reportExit(exit));
    watch(process, inner);
    late.become(inner);
    environment.runtimeWaits(true);
    return heard;
  };
  return { instance, heard: hearInit<Ready>({ clock, initTimeoutMs, environment, runtime: run(), ended: gone.promise }) };
}

/** An instance whose process is yet to begin. */
class LateInstance implements Instance {
  readonly start = 'spawn';
  readonly closed: Promise<Exit>;
  readonly #settle: (exit: Exit) => void;
  readonly #end: () => void;
  #inner: LinkedInstance | undefined;
  #onLog: Instance['onLog'];
  #killed = false;

  constructor(end: () => void) {
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

  get onLog(): Instance['onLog'] {
    return this.#onLog;
  }

  set onLog(onLog: Instance['onLog']) {
    this.#onLog = onLog;
    if (this.#inner) this.#inner.onLog = onLog;
  }

  takeSteps(): readonly Step[] {
    return this.#inner?.takeSteps() ?? [];
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
