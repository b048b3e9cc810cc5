/** A module, from its bytes to an instance whose init has run and that can be put back to that state. */
import { setFlagsFromString } from 'node:v8';
import { Malformed, readSections } from './binary.ts';
import { engine } from './engine.ts';
import type { Exports, Global, Memory, Module } from './engine.ts';
import type { Places } from './errors.ts';
import { LoadError, ModuleError } from './errors.ts';
import { EXPORTS, instrument, TooLarge } from './instrument.ts';
import { takeSnapshot } from './snapshot.ts';
import type { Snapshot } from './snapshot.ts';
import { survey } from './survey.ts';
import { WASI_FUNCTIONS, WASI_MODULE, wasiImports } from './wasi.ts';
import type { World } from './world.ts';

export type Compiled = Places & {
  readonly module: Module;
  /** Why each invocation needs an instance, and its init, of its own; undefined: one is put back. */
  readonly obstacle: string | undefined;
};

const PAGE_BYTES = 65_536;
const MOST_PAGES = 65_536;

export type CompileOptions = {
  /** Its name in messages. */
  readonly file: string;
  readonly memoryBytes: number;
  /** All of it at once, for all processes that are forked from this one; otherwise what is called, when it is called. */
  readonly ahead: boolean;
};

/** Throws LoadError. */
export function compile(bytes: Uint8Array, { file, memoryBytes, ahead }: CompileOptions): Compiled {
  const mostPages = Math.min(MOST_PAGES, Math.floor(memoryBytes / PAGE_BYTES));
  try {
    const sections = readSections(bytes);
    if (!sections) throw new LoadError('InvalidModule', `${file} is a component; here core modules run. ${AS_CORE_MODULE}`);
    const surveyed = survey(bytes, sections);
    const { bytes: instrumented, originalOffset } = instrument(bytes, surveyed, mostPages);
    const module = ahead ? compileAhead(instrumented) : new engine.Module(instrumented);
    const compiled = { module, file, originalOffset, obstacle: surveyed.obstacle };
    checkImports(compiled);
    return compiled;
  } catch (error) {
    throw explain(error, file);
  }
}

/** V8 reads the flag when it compiles; for what others compile in this process it stays as it is. */
export function compileAhead(bytes: Uint8Array): Module {
  setFlagsFromString('--no-wasm-lazy-compilation');
  try {
    return new engine.Module(bytes);
  } finally {
    setFlagsFromString('--wasm-lazy-compilation');
  }
}

const AS_CORE_MODULE = 'Build it for wasm32-wasip1 (WASI preview 1)';

/** What V8 and the readers of modules throw, as a LoadError. */
export function explain(error: unknown, file: string): unknown {
  if (error instanceof TooLarge) {
    const [asked, most] = [error.pages, error.mostPages].map((pages) => `${(pages * PAGE_BYTES) / 2 ** 20} MiB`);
    return new LoadError(
      'OutOfMemory',
      `${file} asks for a memory of ${asked} and its function has ${most} for it: give the function more memory`,
    );
  }
  if (error instanceof Malformed)
    return new LoadError('InvalidModule', `${file} is no WebAssembly module: it ${error.message}`, { cause: error });
  if (error instanceof engine.CompileError)
    return new LoadError(
      'InvalidModule',
      `${file} is no valid WebAssembly module: ${error.message.replace(/^WebAssembly\.\w+\(\): /, '')}`,
      {
        cause: error,
      },
    );
  return error;
}

const ABORT = 'env.abort';
const MOST_NAMED = 5;

/** All functions of WASI are there for everybody, and say no where something is not granted; beyond them there is nothing. */
function checkImports({ module, file }: Compiled): void {
  const missing = engine.Module.imports(module).filter(
    ({ module: from, name, kind }) =>
      kind !== 'function' || (`${from}.${name}` !== ABORT && !(from === WASI_MODULE && WASI_FUNCTIONS.has(name))),
  );
  if (missing.length === 0) return;
  const names = missing.slice(0, MOST_NAMED).map(({ module: from, name, kind }) => `${from}.${name} (${kind})`);
  const more = missing.length > MOST_NAMED ? ` and ${missing.length - MOST_NAMED} more` : '';
  const old = missing.some(({ module: from }) => from === 'wasi_unstable')
    ? ` wasi_unstable is older than what is here. ${AS_CORE_MODULE}.`
    : '';
  throw new LoadError(
    'MissingImport',
    `${file} imports ${names.join(', ')}${more}, which nothing here provides: there is ${WASI_MODULE}, and ${ABORT}.${old} No grant gives a module other imports.`,
  );
}

/** Run once, in this order, where the module has them. */
const INITS = [EXPORTS.start, '_initialize', 'wizer.initialize', 'wizer-initialize'];

/** An instance after its init. */
export class Instance {
  exports: Exports = {};
  readonly #compiled: Compiled;
  readonly #world: World;
  readonly #begin: () => void;
  #snapshot: Snapshot | undefined;
  #memory: Memory | undefined;
  #pages: Global | undefined;
  #restore: (() => void) | undefined;

  /** `begin`: readies the world for init. Throws what init throws, which `describeFailure` describes. */
  constructor(compiled: Compiled, world: World, begin: () => void) {
    this.#compiled = compiled;
    this.#world = world;
    this.#begin = begin;
    this.#make();
    if (compiled.obstacle !== undefined) return;
    (this.exports[EXPORTS.save] as () => void)();
    this.#memory = this.exports[EXPORTS.memory] as Memory | undefined;
    this.#pages = this.exports[EXPORTS.pages] as Global | undefined;
    this.#restore = this.exports[EXPORTS.restore] as () => void;
    if (this.#memory) this.#snapshot = takeSnapshot(this.#memory);
  }

  /** As init left it. */
  reset(): void {
    if (!this.#restore) return this.#make();
    const usedPages = (this.#pages?.value as number | undefined) ?? 0;
    this.#snapshot?.restore(this.#memory!, usedPages * PAGE_BYTES);
    this.#restore();
  }

  #make(): void {
    const { module } = this.#compiled;
    this.#begin();
    this.#world.memory.attach(undefined);
    const imports = { [WASI_MODULE]: wasiImports(this.#world), env: { abort: abortWith(this.#world) } };
    const { exports } = new engine.Instance(module, imports);
    this.exports = exports;
    const memory = exports['memory'] ?? exports[EXPORTS.memory];
    if (memory instanceof engine.Memory) this.#world.memory.attach(memory);
    for (const name of INITS) {
      const init = exports[name];
      if (typeof init === 'function') (init as () => void)();
    }
  }
}

const MOST_ABORT_BYTES = 4096;

/** What AssemblyScript imports to say why it stops: its texts are UTF-16, with their length before them. */
function abortWith({ memory }: World): (message: number, file: number, line: number, column: number) => void {
  const text = (address: number): string => {
    if (address === 0) return '';
    try {
      const length = Math.min(memory.u32(address - 4), MOST_ABORT_BYTES);
      return Buffer.from(memory.bytes(address, length)).toString('utf16le');
    } catch (error) {
      if (error instanceof RangeError) return '';
      throw error;
    }
  };
  return (message, file, line, column) => {
    const place = text(file);
    const at = place === '' ? '' : ` in ${place}:${line >>> 0}:${column >>> 0}`;
    throw new ModuleError('Wasm.Abort', `${text(message) || 'abort'}${at}`, '');
  };
}
