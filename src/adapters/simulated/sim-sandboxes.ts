import { HearthError } from '../../kernel/mod.ts';
import type { Clock, Random } from '../../kernel/mod.ts';
import { isForked } from '../../ports/mod.ts';
import type {
  BootListener,
  BootResult,
  Exit,
  InitFailure,
  Instance,
  SandboxSpec,
  Sandboxes,
  Step,
  Template,
  TemplateMemory,
} from '../../ports/mod.ts';
import { diceOf, NO_FAULTS } from './sim-faults.ts';
import type { Dice, SimFaults } from './sim-faults.ts';
import { SimExit, simError } from './sim-function.ts';
import type { SimFunction, SimHandler } from './sim-function.ts';
import { SimInstance } from './sim-instance.ts';

export type SimSandboxesOptions = {
  readonly clock: Clock;
  /** Decides which of the faults happen. */
  readonly random: Random;
  readonly functions: (spec: SandboxSpec) => SimFunction;
  readonly bootMs?: number;
  readonly forkMs?: number;
  readonly exitMs?: number;
  readonly faults?: Partial<SimFaults>;
  /** Whether instances that run one invocation at a time can be handed others ahead. */
  readonly handsAhead?: boolean;
  /** What templates and instances take of memory, as far as that can be told. */
  readonly memory?: TemplateMemory;
};

/**
 * Sandboxes without processes: functions are callbacks, time is the given clock's, and faults are drawn from the given random source.
 * One seed, one course of events. Counts what it makes, for tests that hold an engine to its limits.
 */
export class SimSandboxes implements Sandboxes {
  readonly driver = 'simulated';
  readonly isolated = false;
  readonly counts = { boots: 0, booting: 0, templates: 0, forks: 0, handedAhead: 0, instances: 0, mostInstances: 0 };
  readonly #options: SimSandboxesOptions;
  readonly #dice: Dice;
  readonly #faults: SimFaults;
  readonly #templates = new Set<SimTemplate>();
  readonly #instances = new Set<SimInstance>();
  #closed = false;

  constructor(options: SimSandboxesOptions) {
    this.#options = options;
    this.#dice = diceOf(options.random);
    this.#faults = { ...NO_FAULTS, ...options.faults };
  }

  async boot(spec: SandboxSpec, listener: BootListener): Promise<BootResult> {
    if (this.#closed) throw new HearthError('SandboxFailed', 'the sandboxes are closed');
    const { happens } = this.#dice;
    const orderedMs = this.#options.clock.monotonicMs();
    this.counts.boots++;
    this.counts.booting++;
    try {
      if (happens(this.#faults.bootHangs)) return await new Promise<never>(() => {});
      const bootMs = (this.#options.bootMs ?? 5) * (happens(this.#faults.bootSlow) ? 10 : 1);
      const result = this.#init(spec, listener, bootMs);
      await this.#pass(Math.min(bootMs + result.initMs, spec.initTimeoutMs));
      if (happens(this.#faults.bootThrows) || this.#closed) {
        throw new HearthError('SandboxFailed', 'the simulated machine has no room for a sandbox');
      }
      const steps = [
        { name: 'sandbox ordered', atMs: orderedMs },
        { name: 'ready heard', atMs: this.#options.clock.monotonicMs() },
      ];
      return result.ok ? { ok: true, template: this.#template(spec, result, steps) } : { ok: false, failure: result.failure };
    } finally {
      this.counts.booting--;
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const template of this.#templates) template.end({ kind: 'ended' });
    for (const instance of this.#instances) instance.end({ kind: 'ended' });
  }

  #init(spec: SandboxSpec, listener: BootListener, bootMs: number): Init {
    const { happens } = this.#dice;
    let initMs = 1;
    const failed = (failure: InitFailure): Init => ({ ok: false, initMs, failure });
    if (happens(this.#faults.bootFails)) {
      return failed({ kind: 'failed', error: { errorType: 'Error', errorMessage: 'simulated init failure' }, initMs });
    }
    const simulated = this.#options.functions(spec);
    try {
      const fork = simulated.load({
        spec,
        log: (text, level = 'INFO') => listener.log(text, level),
        takes: (ms) => void (initMs += ms),
        exit: (exit) => {
          throw new SimExit(exit);
        },
      });
      if (happens(this.#faults.bootTimesOut)) initMs = spec.initTimeoutMs;
      if (bootMs + initMs >= spec.initTimeoutMs) return failed({ kind: 'timedOut', initMs: spec.initTimeoutMs });
      return { ok: true, initMs, fork, simulated };
    } catch (error) {
      return failed(
        error instanceof SimExit ? { kind: 'exited', exit: error.exit, initMs } : { kind: 'failed', error: simError(error), initMs },
      );
    }
  }

  #template(spec: SandboxSpec, init: Init & { ok: true }, steps: readonly Step[]): Template {
    const { clock, forkMs = 3, exitMs = 1, bootMs = 5 } = this.#options;
    const { blockers = [], streaming = false } = init.simulated;
    const forks = isForked(spec, blockers);
    const template = new SimTemplate({
      initMs: init.initMs,
      forks,
      blockers,
      streaming,
      steps,
      memory: this.#options.memory ?? {},
      fork: () => {
        const instance = new SimInstance({
          clock,
          dice: this.#dice,
          faults: this.#faults,
          start: forks ? 'fork' : 'boot',
          startMs: forks ? forkMs : bootMs + init.initMs,
          exitMs,
          concurrency: spec.concurrency,
          handsAhead: this.#options.handsAhead === true && spec.concurrency === 1,
          handler: init.fork(),
          handed: () => this.counts.handedAhead++,
          ended: (ended) => {
            this.#instances.delete(ended);
            this.counts.instances--;
          },
        });
        this.#instances.add(instance);
        this.counts.forks++;
        this.counts.mostInstances = Math.max(this.counts.mostInstances, ++this.counts.instances);
        if (template.isOpen) {
          if (this.#dice.happens(this.#faults.templateDies)) clock.after(0, () => template.end({ kind: 'signalled', signal: 'SIGKILL' }));
        } else {
          clock.after(0, () => instance.end({ kind: 'ended' }));
        }
        return instance;
      },
      ended: () => {
        this.#templates.delete(template);
        this.counts.templates--;
      },
    });
    this.#templates.add(template);
    this.counts.templates++;
    return template;
  }

  #pass(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#options.clock.after(ms, resolve));
  }
}

type Init =
  | { readonly ok: true; readonly initMs: number; readonly fork: () => SimHandler; readonly simulated: SimFunction }
  | { readonly ok: false; readonly initMs: number; readonly failure: InitFailure };

type SimTemplateOptions = Pick<Template, 'initMs' | 'streaming' | 'forks' | 'blockers' | 'steps'> & {
  readonly memory: TemplateMemory;
  readonly fork: () => Instance;
  readonly ended: () => void;
};

class SimTemplate implements Template {
  readonly initMs: number;
  readonly streaming: boolean;
  readonly forks: boolean;
  readonly blockers: Template['blockers'];
  readonly steps: Template['steps'];
  readonly closed: Promise<Exit>;
  readonly #options: SimTemplateOptions;
  readonly #close: (exit: Exit) => void;
  isOpen = true;

  constructor(options: SimTemplateOptions) {
    this.#options = options;
    this.initMs = options.initMs;
    this.streaming = options.streaming;
    this.forks = options.forks;
    this.blockers = options.blockers;
    this.steps = options.steps;
    const { promise, resolve } = Promise.withResolvers<Exit>();
    this.closed = promise;
    this.#close = resolve;
  }

  fork(): Instance {
    return this.#options.fork();
  }

  memory(): TemplateMemory {
    return this.#options.memory;
  }

  close(): void {
    this.end({ kind: 'ended' });
  }

  end(exit: Exit): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.#options.ended();
    this.#close(exit);
  }
}
