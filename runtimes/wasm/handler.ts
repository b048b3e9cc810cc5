/** A function that is a module: bytes of the event in, bytes of the answer out. */
import { readFileSync } from 'node:fs';
import { randomFillSync } from 'node:crypto';
import { checked, MAX_RESPONSE_BYTES, tooLarge } from './answer.ts';
import { isComponent } from './binary.ts';
import { loadComponent } from './component.ts';
import { Descriptors, openPreopen, openStream } from './descriptors.ts';
import type { Descriptor, Stream } from './descriptors.ts';
import { engine } from './engine.ts';
import { describeFailure, LoadError, ModuleError } from './errors.ts';
import type { Grants } from './grants.ts';
import { GuestMemory } from './guest-memory.ts';
import { findModule, translatedTo } from './handler-name.ts';
import { compile, Instance } from './module.ts';
import type { Compiled } from './module.ts';
import { coarseClock, cTexts, preciseClock } from './world.ts';
import type { World } from './world.ts';

/** Throws ModuleError. `reset` follows each invocation. */
export type RawHandler = {
  readonly invoke: (event: Uint8Array) => Uint8Array;
  readonly reset: () => void;
  /** All that it does around the module's own code: with the state that init has left, before the first invocation. */
  readonly rehearse?: (event: Uint8Array) => Uint8Array;
};

export type LoadOptions = {
  readonly taskRoot: string;
  readonly handler: string;
  /** The function's own variables. */
  readonly environment: Readonly<Record<string, string>>;
  readonly grants: Grants;
  /** What its memory may take. */
  readonly memoryBytes: number;
  readonly log: (bytes: Uint8Array) => void;
};

const COMMAND = '_start';
const REACTOR = 'handle';
const ALLOCATORS = ['allocate', 'malloc', '__new'];
const NOTHING = new Uint8Array(0);
const NULL = Buffer.from('null');

/** Compiles the module and runs its init. Throws LoadError and ModuleError. */
export async function loadWasm(options: LoadOptions): Promise<RawHandler> {
  const named = findModule(options.taskRoot, options.handler);
  const { file, entry } = named;
  const bytes = readFileSync(named.path);
  if (!isComponent(bytes)) return makeFunction(bytes, { ...options, file, entry });
  return loadComponent(translatedTo(named), { ...options, file, entry });
}

export type FunctionOptions = Omit<LoadOptions, 'taskRoot' | 'handler'> & { readonly file: string; readonly entry: string | undefined };

/** Of the bytes of a module. Throws LoadError and ModuleError. */
export function makeFunction(bytes: Uint8Array, options: FunctionOptions): RawHandler {
  const compiled = compile(bytes, { file: options.file, memoryBytes: options.memoryBytes, ahead: true });
  return new ModuleFunction(compiled, options).raw();
}

type Call = (event: Uint8Array) => Uint8Array;

class ModuleFunction {
  readonly #compiled: Compiled;
  readonly #options: FunctionOptions;
  readonly #input = new Input();
  readonly #output: Output;
  readonly #world: World;
  readonly #instance: Instance;
  readonly #name: string;
  #failed = false;
  #refused = new Set<string>();

  constructor(compiled: Compiled, options: FunctionOptions) {
    this.#compiled = compiled;
    this.#options = options;
    this.#output = new Output(options.log);
    const { grants, environment } = options;
    this.#world = {
      memory: new GuestMemory(),
      descriptors: new Descriptors([]),
      arguments: cTexts([compiled.file]),
      environment: cTexts(Object.entries(environment).map(([name, value]) => `${name}=${value}`)),
      clock: grants.clock ? preciseClock : coarseClock,
      random: grants.random ? (target) => void randomFillSync(target) : undefined,
      refused: (what) => this.#refuse(what),
    };
    this.#name = entryOf(compiled, options.entry);
    if (grants.keep && this.#name === COMMAND)
      throw new LoadError(
        'InvalidGrant',
        `${compiled.file} is a command: it begins anew with each invocation, and "keep" is for modules that export ${REACTOR}`,
      );
    this.#instance = this.#initialised(() => new Instance(compiled, this.#world, () => this.#begin(NOTHING, false)));
    this.#end();
  }

  raw(): RawHandler {
    const call = this.#call();
    return {
      invoke: (event) => {
        this.#begin(event, true);
        try {
          return checked(call(event));
        } catch (thrown) {
          const failure = describeFailure(thrown, this.#compiled);
          if (!failure) return checked(this.#output.take());
          this.#failed = true;
          throw failure;
        }
      },
      reset: () => this.#reset(),
      // With an obstacle there is nothing to go back to but the module's own init.
      ...(this.#compiled.obstacle === undefined && { rehearse: (event: Uint8Array) => this.#rehearse(event) }),
    };
  }

  /** After an invocation. */
  #reset(): void {
    this.#end();
    if (this.#options.grants.keep && !this.#failed) return;
    this.#failed = false;
    this.#initialised(() => this.#instance.reset());
    if (this.#compiled.obstacle !== undefined) this.#end();
  }

  #rehearse(event: Uint8Array): Uint8Array {
    this.#begin(event, true);
    this.#input.read(new Uint8Array(event.length));
    this.#output.write(NULL);
    const answer = checked(this.#output.take());
    this.#reset();
    return answer;
  }

  /** `init` runs the module's init. */
  #initialised<T>(init: () => T): T {
    try {
      return init();
    } catch (thrown) {
      if (thrown instanceof LoadError) throw thrown;
      throw describeFailure(thrown, this.#compiled) ?? new ModuleError('Wasm.Exit', 'The module ended during its init', '');
    }
  }

  #call(): Call {
    const instance = this.#instance;
    const name = this.#name;
    const entry = () => instance.exports[name] as (...args: number[]) => unknown;
    if (name === COMMAND) {
      return () => {
        entry()();
        return this.#output.take();
      };
    }
    switch (entry().length) {
      case 0:
        return () => {
          const code = entry()();
          if (code !== undefined && Number(code) !== 0)
            throw new ModuleError('Wasm.Exit', `${name} answered ${Number(code)}, and not 0`, '');
          return this.#output.take();
        };
      case 2:
        return (event) => this.#callWithMemory(entry(), event);
      default:
        throw new LoadError('InvalidEntry', `${this.#compiled.file} exports ${name} with ${entry().length} parameters. ${SHAPES}`);
    }
  }

  #callWithMemory(entry: (...args: number[]) => unknown, event: Uint8Array): Uint8Array {
    const { memory } = this.#world;
    const allocator = ALLOCATORS.find((name) => typeof this.#instance.exports[name] === 'function');
    if (allocator === undefined)
      throw new ModuleError('Wasm.InvalidEntry', `The module exports none of ${ALLOCATORS.join(', ')}. ${SHAPES}`, '');
    const allocate = this.#instance.exports[allocator] as (...args: number[]) => unknown;
    // AssemblyScript's own takes a class as well; 0 is that of plain bytes.
    const address = Number(allocate.length === 2 ? allocate(event.length, 0) : allocate(event.length)) >>> 0;
    if (address + event.length > memory.all.length)
      throw new ModuleError('Wasm.InvalidEntry', `${allocator} answered a place outside of its memory`, '');
    memory.bytes(address, event.length).set(event);
    const answer = entry(address, event.length);
    if (typeof answer !== 'bigint') throw new ModuleError('Wasm.InvalidEntry', `${this.#name} answered no i64. ${SHAPES}`, '');
    const [from, length] = [Number((answer >> 32n) & 0xffff_ffffn), Number(answer & 0xffff_ffffn)];
    if (length > MAX_RESPONSE_BYTES) throw tooLarge();
    if (from + length > memory.all.length)
      throw new ModuleError('Wasm.InvalidAnswer', `${this.#name} answered a place outside of its memory`, '');
    return memory.bytes(from, length).slice();
  }

  /** `serving`: what it writes is the answer; in init it is output like any other. */
  #begin(event: Uint8Array, serving: boolean): void {
    this.#input.bytes = event;
    this.#input.at = 0;
    this.#output.begin(serving);
    const preopened = this.#options.grants.directories.map(openGranted);
    this.#world.descriptors = new Descriptors([{ ...this.#stdin }, { ...this.#stdout }, { ...this.#stderr }, ...preopened]);
  }

  readonly #stdin = openStream(this.#input);
  readonly #stdout = openStream({ write: (bytes) => this.#output.write(bytes) });
  readonly #stderr = openStream({ write: (bytes) => this.#log(bytes) });

  #log(bytes: Uint8Array): number {
    this.#options.log(bytes.slice());
    return bytes.length;
  }

  /** What it has left open is closed: the next invocation, or another instance, has descriptors of its own. */
  #end(): void {
    this.#world.descriptors.closeAll();
    this.#input.bytes = NOTHING;
  }

  #refuse(what: string): void {
    if (this.#refused.has(what)) return;
    this.#refused.add(what);
    this.#log(Buffer.from(`hearth: the module asked for ${what} and is granted none; the grant is "${what}", see docs/wasm.md\n`));
  }
}

function openGranted(directory: Grants['directories'][number]): Descriptor {
  try {
    return openPreopen(directory);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new LoadError('InvalidGrant', `The directory ${directory.host} is granted to the module and can't be opened: ${code}`, {
      cause: error,
    });
  }
}

const SHAPES = `An entry is ${COMMAND}, or ${REACTOR}() with the event on standard input and the answer on standard output, or ${REACTOR}(address: i32, length: i32) -> i64 (address << 32 | length of the answer) beside allocate(length: i32) -> i32`;

function entryOf({ module, file }: Compiled, asked: string | undefined): string {
  const functions = engine.Module.exports(module).flatMap(({ name, kind }) => (kind === 'function' ? [name] : []));
  const name = asked ?? [REACTOR, COMMAND].find((candidate) => functions.includes(candidate));
  if (name !== undefined && functions.includes(name)) return name;
  const own = functions.filter((candidate) => !candidate.startsWith('hearth:')).slice(0, 10);
  const what = asked === undefined ? `neither ${REACTOR} nor ${COMMAND}` : `no function ${asked}`;
  throw new LoadError('HandlerNotFound', `${file} exports ${what}; it exports ${own.join(', ') || 'no functions'}. ${SHAPES}`);
}

/** Standard input: the event. */
class Input implements Stream {
  bytes: Uint8Array = NOTHING;
  at = 0;

  read(target: Uint8Array): number {
    const part = this.bytes.subarray(this.at, this.at + target.length);
    target.set(part);
    this.at += part.length;
    return part.length;
  }

  readonly available = (): number => this.bytes.length - this.at;
}

/** So much room is kept from one invocation to the next. */
const KEPT_BYTES = 64 * 1024;
const LEAST_BYTES = 4096;

/** Standard output: the answer. */
class Output {
  readonly #log: (bytes: Uint8Array) => void;
  #bytes = NOTHING;
  #length = 0;
  #serving = false;

  constructor(log: (bytes: Uint8Array) => void) {
    this.#log = log;
  }

  begin(serving: boolean): void {
    this.#length = 0;
    this.#serving = serving;
    if (this.#bytes.length > KEPT_BYTES) this.#bytes = NOTHING;
  }

  write(bytes: Uint8Array): number {
    if (!this.#serving) this.#log(bytes.slice());
    else {
      const length = this.#length + bytes.length;
      if (length > MAX_RESPONSE_BYTES) throw tooLarge();
      if (length > this.#bytes.length) this.#grow(length);
      this.#bytes.set(bytes, this.#length);
      this.#length = length;
    }
    return bytes.length;
  }

  /** Until the next `begin`. */
  take(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  #grow(length: number): void {
    const grown = new Uint8Array(Math.max(length, Math.min(2 * this.#bytes.length, MAX_RESPONSE_BYTES), LEAST_BYTES));
    grown.set(this.take());
    this.#bytes = grown;
  }
}
