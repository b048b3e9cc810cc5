/** What the runtime offers under this name; nothing elsewhere. */
const hooks = globalThis[Symbol.for('hearth.snapshot')];

export const restores = hooks !== undefined;

export function beforeSnapshot(hook) {
  hooks?.beforeSnapshot(hook);
}

export function afterRestore(hook) {
  hooks?.afterRestore(hook);
}
