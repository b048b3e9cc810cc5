import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { HearthError, runtimeFamily, systemRandom } from '../../kernel/mod.ts';
import type { Clock, Log, Timer } from '../../kernel/mod.ts';
import type { BootListener, BootResult, SandboxSpec, Sandboxes, Template } from '../../ports/mod.ts';
import { LinkedInstance, PROCESS_STEPS, Steps, awaitReady, closedLink, processTimes } from '../link/mod.ts';
import { FunctionProcess } from './function-process.ts';
import { FirstTemplate, WIND_DOWN_MS, externalExtensions, wrapperOf } from '../execution/mod.ts';
import type { WindDownMs } from '../execution/mod.ts';
import { Environments } from './environments.ts';
import { bootExtended } from './extended.ts';
import { Programs } from './programs.ts';
import type { PlainError } from './plain-runtime.ts';
import { PlainRuntimes } from './plain-runtimes.ts';
import { Watchdog } from './watchdog.ts';
import { wrapped } from './wrapped.ts';

export type SpawnSandboxesOptions = {
  /** For the runtime's files and the processes' temporary ones; what an earlier process left in it is removed. */
  readonly directory: string;
  readonly log: Log;
  readonly clock: Clock;
  /** How long environments with extensions may take to come to their end. Default: as on Lambda. */
  readonly windDown?: WindDownMs | undefined;
};

/** An instance that a process belongs to. */
type Watched = Pick<LinkedInstance, 'oldest' | 'kill'>;

/** How often the memory of processes that run something is looked at. */
const MEMORY_CHECK_MS = 200;

/**
 * Functions as plain processes, without isolation: for machines where the fork ladder does not work. A template is a spec whose init has
 * been seen to succeed; the process that showed it becomes the first instance, and each further one starts Node and runs init anew.
 */
export class SpawnSandboxes implements Sandboxes {
  readonly driver = 'spawn';
  readonly isolated = false;
  readonly #options: SpawnSandboxesOptions;
  readonly #runtimes: PlainRuntimes;
  readonly #temporary: string;
  readonly #watchdog = new Watchdog();
  readonly #processes = new Map<FunctionProcess, Watched | undefined>();
  readonly #programs: Programs;
  readonly #environments: Environments;
  readonly #templates = new Set<Template>();
  #memoryCheck: Timer | undefined;
  #closed = false;

  static async open(options: SpawnSandboxesOptions): Promise<SpawnSandboxes> {
    const temporary = join(options.directory, 'tmp');
    await rm(temporary, { recursive: true, force: true });
    await mkdir(temporary, { recursive: true });
    return new SpawnSandboxes(options, temporary);
  }

  private constructor(options: SpawnSandboxesOptions, temporary: string) {
    this.#options = options;
    this.#runtimes = new PlainRuntimes(join(options.directory, 'runtime'));
    this.#temporary = temporary;
    const { clock, windDown = WIND_DOWN_MS } = options;
    this.#environments = new Environments({ clock, random: systemRandom, windDown, temporary, watchdog: this.#watchdog });
    this.#programs = new Programs({
      clock,
      environments: this.#environments,
      launch: (spec) => this.#tryLaunch(spec),
      watch: (process, instance) => this.#watch(process, instance),
    });
  }

  async boot(spec: SandboxSpec, listener: BootListener): Promise<BootResult> {
    this.#refuse();
    await this.#runtimes.prepare(spec.runtime);
    this.#refuse();
    if (runtimeFamily(spec.runtime) === 'provided') return await this.#programs.boot(spec, listener);
    const external = await externalExtensions(spec);
    if (external.length > 0 || wrapperOf(spec) !== undefined) return await this.#bootExtended(spec, external, listener);
    const steps = new Steps(this.#options.clock);
    const orderedMs = steps.add('process ordered');
    const process = this.#launchOrThrow(spec);
    process.onOutput = (text, level) => listener.log(text, level);
    const { clock } = this.#options;
    const outcome = await awaitReady({
      link: process.link,
      initTimeoutMs: spec.initTimeoutMs,
      clock,
      listener,
      exited: () => process.exited,
    });
    if (outcome.kind !== 'ready') {
      process.kill();
      await process.exited;
      return { ok: false, failure: outcome };
    }
    steps.addTold(PROCESS_STEPS, processTimes(outcome.payload), orderedMs);
    steps.add('ready heard');
    const first = this.#instance(process, false);
    first.onLog = (text, level) => listener.log(text, level);
    if (this.#closed) first.kill();
    const template = new FirstTemplate(
      { ...outcome.payload, steps: steps.take() },
      {
        first,
        taken: (instance) => void instance.steps.add('process taken'),
        start: () => this.#fork(spec),
        onClose: () => this.#templates.delete(template),
      },
    );
    this.#templates.add(template);
    return { ok: true, template };
  }

  #bootExtended(spec: SandboxSpec, external: readonly string[], listener: BootListener): Promise<BootResult> {
    const launch = (given: SandboxSpec) => {
      try {
        return this.#tryLaunch(given);
      } catch (cause) {
        throw notStarted(given, cause);
      }
    };
    const watch = (process: FunctionProcess, instance: LinkedInstance) => this.#watch(process, instance);
    return bootExtended({ clock: this.#options.clock, environments: this.#environments, launch, watch }, spec, external, listener);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#memoryCheck?.cancel();
    for (const template of this.#templates) template.close();
    await this.#environments.close();
    for (const [process, instance] of this.#processes) {
      if (instance) instance.kill();
      else process.kill();
    }
    await Promise.all([...this.#processes.keys()].map((process) => process.exited));
    await this.#runtimes.settled();
    await this.#watchdog.close();
  }

  #refuse(): void {
    if (this.#closed) throw new HearthError('SandboxFailed', 'the sandboxes are closed: this node is shutting down');
  }

  #launchOrThrow(spec: SandboxSpec): FunctionProcess {
    try {
      return this.#launch(spec);
    } catch (cause) {
      throw notStarted(spec, cause);
    }
  }

  #fork(spec: SandboxSpec): LinkedInstance {
    const { clock, log } = this.#options;
    if (!this.#closed) {
      try {
        return this.#instance(this.#launch(spec), true);
      } catch (error) {
        log.error({ error, label: spec.label }, 'no process could be started for an instance');
      }
    }
    return new LinkedInstance({ link: closedLink(), start: 'spawn', clock, end: () => {}, reportsExit: false });
  }

  #launch(spec: SandboxSpec): FunctionProcess {
    const launched = this.#tryLaunch(spec);
    if ('errorType' in launched) throw new Error(launched.errorMessage);
    return launched;
  }

  /** Throws when the operating system refuses to start a process. */
  #tryLaunch(spec: SandboxSpec): FunctionProcess | PlainError {
    const { runtime, files } = this.#runtimes.get(spec.runtime);
    const wrapper = wrapperOf(spec);
    const program = wrapper === undefined ? runtime.program(files, spec) : wrapped(wrapper, spec, runtime.wrapped!(files, spec));
    if ('errorType' in program) return program;
    const { clock } = this.#options;
    const process = new FunctionProcess({ spec, runtime, program, temporary: this.#temporary, watchdog: this.#watchdog, clock });
    this.#processes.set(process, undefined);
    void process.exited.then(() => this.#processes.delete(process));
    return process;
  }

  #instance(process: FunctionProcess, booting: boolean): LinkedInstance {
    const { clock } = this.#options;
    const end = () => process.kill();
    const instance = new LinkedInstance({ link: process.link, start: 'spawn', clock, end, reportsExit: true, booting });
    process.onOutput = (text, level) => instance.onLog?.(text, level);
    if (booting) instance.steps.add('process ordered');
    this.#watch(process, instance);
    void process.exited.then((exit) => instance.reportExit(exit));
    return instance;
  }

  #watch(process: FunctionProcess, instance: Watched): void {
    this.#processes.set(process, instance);
    this.#watchMemory();
  }

  #watchMemory(): void {
    this.#memoryCheck ??= this.#options.clock.after(MEMORY_CHECK_MS, () => {
      this.#memoryCheck = undefined;
      if (this.#processes.size === 0 || this.#closed) return;
      for (const [process, instance] of this.#processes) if (instance?.oldest !== undefined) void process.checkMemory();
      this.#watchMemory();
    });
  }
}

const notStarted = ({ label }: SandboxSpec, cause: unknown): HearthError =>
  new HearthError('SandboxFailed', `no process could be started for ${label}: ${String(cause)}`, { cause });
