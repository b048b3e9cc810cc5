/** Which runtimes functions can name, and what of them clients of the Lambda API can tell. */

/** What runs a function: a folder of `runtimes/`. */
export type RuntimeFamily = 'node' | 'python' | 'provided' | 'wasm';

/** Their names in the Lambda API. All of a family run on the same: the name is kept, because clients compare it. */
const IDENTIFIERS: Readonly<Record<RuntimeFamily, readonly string[]>> = {
  node: ['nodejs20.x', 'nodejs22.x', 'nodejs24.x', 'nodejs26.x'],
  python: ['python3.9', 'python3.10', 'python3.11', 'python3.12', 'python3.13', 'python3.14'],
  provided: ['provided.al2023', 'provided.al2', 'provided'],
  wasm: ['wasm'],
};

const FAMILIES = new Map(Object.entries(IDENTIFIERS).flatMap(([family, names]) => names.map((name) => [name, family as RuntimeFamily])));

export const SUPPORTED_RUNTIMES: readonly string[] = [...FAMILIES.keys()];

/** Undefined: there is no such runtime here. */
export const runtimeFamily = (identifier: string): RuntimeFamily | undefined => FAMILIES.get(identifier);

/**
 * Whether one instance can run several invocations at a time. Node's event loop goes on with others while one waits; the others take one
 * event after another: Python's loop answers each before it reads the next, modules run to their end, and programs ask for one event at a time.
 */
export const runsSeveralAtATime = (identifier: string): boolean => runtimeFamily(identifier) === 'node';

/** What an error's stack trace is called in the answer to who invoked: each of Lambda's runtimes has its own word. */
export const traceName = (identifier: string): 'trace' | 'stackTrace' => (runtimeFamily(identifier) === 'node' ? 'trace' : 'stackTrace');
