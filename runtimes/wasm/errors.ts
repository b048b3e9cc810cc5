/** What can be wrong with a module and with what it does, in the words that callers and logs get. */
import { engine } from './engine.ts';
import { ModuleExit, ModuleSignal } from './world.ts';

/** Init can't go on. */
export class LoadError extends Error {
  constructor(type: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = `Runtime.${type}`;
    // The place in this loader says nothing.
    this.stack = `${this.name}: ${message}`;
  }
}

/** The module has failed, or has ended as a failure. `name` is the error's type. */
export class ModuleError extends Error {
  constructor(name: string, message: string, stack: string, options?: ErrorOptions) {
    super(message, options);
    this.name = name;
    this.stack = `${name}: ${message}${stack}`;
  }
}

export type Places = { readonly file: string; readonly originalOffset: (offset: number) => number };

/** What an export threw: an end with code 0 is none. */
export function describeFailure(thrown: unknown, places: Places): ModuleError | undefined {
  if (thrown instanceof ModuleExit) {
    return thrown.code === 0 ? undefined : new ModuleError('Wasm.Exit', `The module ended with exit code ${thrown.code}`, '');
  }
  if (thrown instanceof ModuleSignal) return new ModuleError('Wasm.Signal', `The module raised signal ${thrown.signal}`, '');
  if (thrown instanceof ModuleError) return thrown;
  if (thrown instanceof engine.RuntimeError)
    return new ModuleError('Wasm.Trap', thrown.message, framesOf(thrown, places), { cause: thrown });
  if (thrown instanceof RangeError && /call stack/.test(thrown.message))
    return new ModuleError('Wasm.Trap', 'call stack exhausted', framesOf(thrown, places), { cause: thrown });
  if (thrown instanceof engine.Exception)
    return new ModuleError('Wasm.Exception', 'The module threw an exception and did not catch it', '', { cause: thrown });
  throw thrown;
}

const FRAME = /at (?:(\S+) \()?wasm:\/\/\S*?:wasm-function\[(\d+)\]:0x([0-9a-f]+)\)?$/;
const MOST_FRAMES = 50;

/** V8's frames of the module, with the file's name and offsets as in the file. */
function framesOf(error: Error, { file, originalOffset }: Places): string {
  return (error.stack ?? '')
    .split('\n')
    .flatMap((line) => {
      const [, name, index, offset] = FRAME.exec(line.trim()) ?? [];
      if (index === undefined) return [];
      const at = `${file}:function[${index}]:0x${originalOffset(Number.parseInt(offset!, 16)).toString(16)}`;
      return [`\n    at ${name === undefined ? at : `${bare(name)} (${at})`}`];
    })
    .slice(0, MOST_FRAMES)
    .join('');
}

/** V8 names functions `module.function` where the module has a name. */
const bare = (name: string): string => name.replace(/^.*?\.wasm\./, '');
