export { SpawnSandboxes } from './spawn-sandboxes.ts';
export type { SpawnSandboxesOptions } from './spawn-sandboxes.ts';
