export * from './sim-store.ts';
export * from './sim-faults.ts';
export * from './sim-function.ts';
export * from './sim-sandboxes.ts';
export * from './sim-blobs.ts';
export * from './sim-function-logs.ts';
export * from './sim-machine.ts';
