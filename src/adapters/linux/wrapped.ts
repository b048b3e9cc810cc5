import { dirname, join } from 'node:path';
import { HearthError, runtimeFamily } from '../../kernel/mod.ts';
import type { Clock } from '../../kernel/mod.ts';
import type { BootListener, BootResult, SandboxSpec } from '../../ports/mod.ts';
import { NODE_INSIDE } from '../../../runtimes/node/places.ts';
import { node } from '../../../runtimes/node/description.ts';
import { INSIDE, pythonOn, wrappedPython } from '../../../runtimes/python/description.ts';
import { findInterpreter } from '../../../runtimes/python/interpreter.ts';
import { RUNTIME_FILES } from '../../../runtimes/ladder/orders.ts';
import type { Furniture } from '../../../runtimes/ladder/orders.ts';
import { bootProgram, externalExtensions, startModule, wrapperOf } from '../execution/mod.ts';
import { Lines, materialiseRuntime } from '../link/mod.ts';
import type { Link, Steps } from '../link/mod.ts';
import type { Environments } from './environments.ts';
import type { InitOptions } from './init-options.ts';
import type { Sandbox } from './sandbox.ts';

export type WrappedOptions = {
  readonly clock: Clock;
  readonly environments: Environments;
  /** For the runtimes' files. */
  readonly directory: string;
  /** The directory with Node's. */
  readonly files: string;
  /** A sandbox that none is made ahead of. */
  readonly make: (spec: SandboxSpec, steps: Steps, furniture: Furniture) => Sandbox;
  readonly init: (sandbox: Sandbox, spec: SandboxSpec, more: Pick<InitOptions, 'api' | 'serves' | 'beside' | 'command'>) => Link;
};

/** How long a wrapper's end is awaited after that of its runtime. On a busy machine it may not have had its turn before. */
const LAST_WORD_MS = 3_000;

/** `command`: starts it inside. */
type Outfit = { readonly furniture: Furniture; readonly command: (spec: SandboxSpec) => readonly string[] };

/**
 * Functions in Node or Python with a wrapper, which is executed with the runtime's command line and starts it, or something in its place. No
 * runtime can be forked that began so: each instance is a sandbox whose template becomes the wrapper.
 */
export class Wrapped {
  readonly #options: WrappedOptions;
  /** By runtime as in the Lambda API. */
  readonly #outfits = new Map<string, Promise<Outfit>>();

  constructor(options: WrappedOptions) {
    this.#options = options;
  }

  /** Throws HearthError `SandboxFailed` when the machine has no such runtime. */
  async boot(spec: SandboxSpec, listener: BootListener): Promise<BootResult> {
    const { clock, environments, make, init } = this.#options;
    const outfit = await this.#outfitOf(spec.runtime);
    const external = await externalExtensions(spec);
    const start = (log: Parameters<typeof startModule>[0]['log']) => {
      const opened = environments.open(spec, external);
      const { environment, api, beside } = opened;
      let sandbox: Sandbox | undefined;
      const lines = new Lines((line) => environment.functionLine(line, 'INFO'));
      return startModule({
        clock,
        spec,
        environment,
        start: 'boot',
        log,
        begin: async (awaited) => {
          const given = await opened.placed;
          sandbox = make(given, awaited.steps, outfit.furniture);
          sandbox.onChunk = (chunk) => lines.push(chunk);
          opened.attach(sandbox);
          awaited.steps.add('function given');
          const link = init(sandbox, given, { api, beside, serves: awaited, command: [wrapperOf(spec)!, ...outfit.command(spec)] });
          if (!awaited.alive) sandbox.end();
          const { templateEnded } = sandbox;
          const exited = templateEnded.then((exit) => {
            sandbox?.flushOutput();
            lines.end();
            return exit;
          });
          return { link, exited };
        },
        end: (wanted) => {
          if (wanted || !sandbox) return opened.end(wanted);
          // The runtime is gone. What starts it may still be about to say how.
          const { templateEnded } = sandbox;
          const patience = clock.after(LAST_WORD_MS, () => sandbox?.killTemplate());
          void templateEnded.then(() => {
            patience.cancel();
            opened.end(wanted);
          });
        },
      });
    };
    return await bootProgram(clock, start, listener);
  }

  /** Settles when nothing is being written any more. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#outfits.values());
  }

  #outfitOf(identifier: string): Promise<Outfit> {
    let outfit = this.#outfits.get(identifier);
    if (!outfit) {
      outfit = runtimeFamily(identifier) === 'python' ? this.#python(identifier) : Promise.resolve(this.#node());
      this.#outfits.set(identifier, outfit);
      // It may be installed by the next time.
      outfit.catch(() => this.#outfits.delete(identifier));
    }
    return outfit;
  }

  #node(): Outfit {
    return {
      furniture: { files: dirname(this.#options.files), shown: [], links: {} },
      command: ({ memoryMiB }) => node.wrapped(NODE_INSIDE, `${RUNTIME_FILES}/${node.name}`, memoryMiB),
    };
  }

  async #python(identifier: string): Promise<Outfit> {
    const interpreter = await findInterpreter(identifier);
    if (typeof interpreter === 'string') throw new HearthError('SandboxFailed', interpreter);
    const runtime = pythonOn(interpreter);
    const files = await materialiseRuntime({ runtime, directory: join(this.#options.directory, 'runtimes') });
    return {
      furniture: { files: dirname(files), ...runtime.guest },
      command: () => wrappedPython(`${INSIDE}/python3`, `${RUNTIME_FILES}/${runtime.name}`),
    };
  }
}
