/**
 * A function that is a component, of WASI 0.2: one that answers HTTP requests (`wasi:http/proxy`), or a command (`wasi:cli/command`). The host has
 * translated it to core modules and the code between them (see adapters/packages/component.ts); here that is loaded and given what it may have.
 * Each invocation has an instance of its own, made after the one before it has answered.
 */
import { randomFillSync } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Malformed, readSections } from './binary.ts';
import { answerOf, IncomingRequest, NoAnswer, ResponseOutparam } from './component-http.ts';
import { componentImports } from './component-world.ts';
import type { Interfaces } from './component-world.ts';
import { engine } from './engine.ts';
import type { Module } from './engine.ts';
import { describeFailure, LoadError, ModuleError } from './errors.ts';
import type { FunctionOptions, RawHandler } from './handler.ts';
import { eventAnswer, requestOf } from './http-event.ts';
import { boundMemories } from './instrument.ts';
import { checked, MAX_RESPONSE_BYTES, tooLarge } from './answer.ts';
import { compileAhead, explain } from './module.ts';
import { coarseClock, ModuleExit, preciseClock } from './world.ts';

type Exported = {
  readonly incomingHandler?: { handle(request: IncomingRequest, response: ResponseOutparam): void };
  readonly run?: { run(): void };
};
type Translated = { readonly instantiate: (module: (name: string) => Module, imports: Interfaces) => Exported };

const CODE = 'component.js';
/** In its place: why there is none. */
const REFUSED = 'refused';
const PAGE_BYTES = 65_536;
const NOTHING = new Uint8Array(0);

/** `directory`: what it has been translated to; undefined: nothing. Throws LoadError and ModuleError. */
export async function loadComponent(directory: string | undefined, options: FunctionOptions): Promise<RawHandler> {
  const { file, entry, grants, memoryBytes } = options;
  if (entry !== undefined)
    throw new LoadError(
      'HandlerNotFound',
      `${file} is a component: it is called by wasi:http/incoming-handler or wasi:cli/run, and not by ${entry}`,
    );
  if (grants.keep || grants.directories.length > 0)
    throw new LoadError('InvalidGrant', `${file} is a component: "keep" and directories are for core modules`);
  if (directory === undefined || !existsSync(directory))
    throw new LoadError(
      'InvalidModule',
      `${file} is a component that was not translated: components are those that are uploaded by themselves, or as main.wasm or module.wasm of a zip`,
    );
  if (existsSync(join(directory, REFUSED)))
    throw new LoadError('InvalidModule', `${file}: ${readFileSync(join(directory, REFUSED), 'utf8')}`);
  const modules = new Map<string, Module>();
  for (const name of readdirSync(directory)) {
    if (name.endsWith('.wasm')) modules.set(name, compileCore(readFileSync(join(directory, name)), file, memoryBytes));
  }
  const { instantiate } = (await import(pathToFileURL(join(directory, CODE)).href)) as Translated;
  return new ComponentFunction((imports) => instantiate((name) => modules.get(name)!, imports), options).raw();
}

/** Its memory is bounded as that of a module. */
function compileCore(bytes: Uint8Array, file: string, memoryBytes: number): Module {
  try {
    const sections = readSections(bytes);
    if (!sections) throw new Malformed('has a component in it where a core module belongs');
    return compileAhead(boundMemories(bytes, sections, Math.floor(memoryBytes / PAGE_BYTES)));
  } catch (error) {
    throw explain(error, file);
  }
}

class ComponentFunction {
  readonly #options: FunctionOptions;
  readonly #imports: Interfaces;
  readonly #instantiate: (imports: Interfaces) => Exported;
  /** Of the instance that the next invocation has; undefined: making it has failed, and is tried again. */
  #exported: Exported | undefined;
  #input: Uint8Array = NOTHING;
  #parts: Uint8Array[] = [];
  #length = 0;
  /** Of a command: what it writes is the answer, once it runs. */
  #serving = false;
  #refused = new Set<string>();

  constructor(instantiate: (imports: Interfaces) => Exported, options: FunctionOptions) {
    const { grants, environment, file, log } = options;
    this.#options = options;
    this.#instantiate = instantiate;
    this.#imports = componentImports({
      arguments: [file],
      environment,
      clock: grants.clock ? preciseClock : coarseClock,
      random: grants.random ? (target) => void randomFillSync(target) : undefined,
      refused: (what) => this.#refuse(what),
      stdin: () => this.#input,
      stdout: (bytes) => this.#write(bytes),
      stderr: log,
      answered: (bytes) => this.#count(bytes),
    });
    this.#exported = this.#make();
  }

  raw(): RawHandler {
    return {
      invoke: (event) => {
        this.#length = 0;
        this.#parts = [];
        return this.#guarded(() => this.#call(event));
      },
      reset: () => {
        this.#input = NOTHING;
        this.#exported = undefined;
        this.#exported = this.#make();
      },
    };
  }

  #make(): Exported {
    this.#serving = false;
    return this.#guarded(() => this.#instantiate(this.#imports));
  }

  #call(event: Uint8Array): Uint8Array {
    const { incomingHandler, run } = (this.#exported ??= this.#make());
    if (incomingHandler) {
      const request = requestOf(event);
      const response = new ResponseOutparam();
      incomingHandler.handle(new IncomingRequest(request), response);
      return eventAnswer(answerOf(response));
    }
    this.#input = event;
    this.#serving = true;
    try {
      run!.run();
    } catch (thrown) {
      if (!(thrown instanceof ModuleExit && thrown.code === 0)) throw thrown;
    }
    return checked(Buffer.concat(this.#parts));
  }

  #guarded<T>(act: () => T): T {
    try {
      return act();
    } catch (thrown) {
      throw this.#failure(thrown);
    }
  }

  #failure(thrown: unknown): unknown {
    if (thrown instanceof LoadError || thrown instanceof ModuleError) return thrown;
    if (thrown instanceof ModuleExit) return new ModuleError('Wasm.Exit', `The component ended with exit code ${thrown.code}`, '');
    if (thrown instanceof NoAnswer) return new ModuleError('Wasm.InvalidAnswer', thrown.message, '');
    // What `run` returns as its error the translated code throws.
    if (thrown instanceof Error && Object.hasOwn(thrown, 'payload'))
      return new ModuleError('Wasm.Exit', 'The component ended as a failure', '');
    if (thrown instanceof engine.RuntimeError || (thrown instanceof RangeError && /call stack/.test(thrown.message)))
      return withoutOffsets(describeFailure(thrown, { file: this.#options.file, originalOffset: () => 0 })!);
    // The translated code throws errors of JavaScript where the component breaks the rules of its interfaces.
    return new ModuleError('Wasm.Trap', thrown instanceof Error ? thrown.message : 'it threw what is no error', '', { cause: thrown });
  }

  #write(bytes: Uint8Array): void {
    if (!this.#serving) return this.#options.log(bytes);
    this.#count(bytes.length);
    this.#parts.push(bytes);
  }

  #count(bytes: number): void {
    this.#length += bytes;
    if (this.#length > MAX_RESPONSE_BYTES) throw tooLarge();
  }

  #refuse(what: string): void {
    if (this.#refused.has(what)) return;
    this.#refused.add(what);
    this.#options.log(Buffer.from(`hearth: the component asked for ${what} and is granted none, see docs/wasm.md\n`));
  }
}

/** Several modules are behind a component, and a trace does not say in which of them a function is. */
function withoutOffsets(failure: ModuleError): ModuleError {
  failure.stack = (failure.stack ?? '').replaceAll(/:function\[(\d+)\]:0x0/g, ':function[$1]');
  return failure;
}
