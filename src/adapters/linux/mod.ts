export { startAhead } from './ahead.ts';
export type { Ahead } from './ahead.ts';
export { allowInstances } from './descriptors.ts';
export { probeLinux } from './probe.ts';
export type { ProbeResult } from './probe.ts';
export { LinuxSandboxes } from './sandboxes.ts';
export type { LinuxOptions } from './sandboxes.ts';
export { selfTest } from './self-test.ts';
