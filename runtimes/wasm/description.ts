/** What the host must know of functions that are WebAssembly modules: they run in Node's sandboxes. */
export const wasm = {
  name: 'wasm',

  /** Beside those that all functions have. */
  environment: (_identifier: string): Readonly<Record<string, string>> => ({}),

  /** The variable in which the loader finds, as JSON, what the module is given, and which of the variables are its own. */
  settingsVariable: '_HEARTH_WASM',
} as const;
