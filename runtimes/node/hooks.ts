/**
 * What a function wants done before it is forked and in each instance. Functions register through `globalThis[Symbol.for('hearth.snapshot')]`,
 * which packages/sdk wraps. The order is that of Lambda's runtimes: before a snapshot the last registered is the first, after it the other way round.
 */
export type Hook = () => unknown;

const { defineProperty, freeze } = Object;
const before: Hook[] = [];
const after: Hook[] = [];
let open = true;

/** Before user code. */
export function installHooks(): void {
  const value = freeze({
    beforeSnapshot: (hook: Hook): void => register(before, hook, 'beforeSnapshot'),
    afterRestore: (hook: Hook): void => register(after, hook, 'afterRestore'),
  });
  defineProperty(globalThis, Symbol.for('hearth.snapshot'), { value, configurable: true });
}

function register(hooks: Hook[], hook: Hook, name: string): void {
  if (typeof hook !== 'function') throw new TypeError(`${name} takes a function`);
  // By index: user code may have changed what arrays can do.
  if (open) hooks[hooks.length] = hook;
  else console.warn(`${name} was called after init: its hook will not run`);
}

/** Ends registration too. */
export async function runBeforeSnapshot(): Promise<void> {
  for (let i = before.length - 1; i >= 0; i--) await before[i]!();
  open = false;
}

export const hasAfterRestore = (): boolean => after.length > 0;

export async function runAfterRestore(): Promise<void> {
  for (let i = 0; i < after.length; i++) await after[i]!();
}
