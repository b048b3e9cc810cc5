import type { Diagnosis } from './doctor.ts';

export type { Diagnosis, Finding } from './doctor.ts';
export type { Driver } from './drivers.ts';
export { openKeys } from './keys.ts';
export type { OpenKeys } from './keys.ts';
export { openLog } from './log.ts';
export { startStandalone } from './standalone.ts';
export type { Standalone, StandaloneOptions } from './standalone.ts';

/** What this machine offers for isolation. Loaded on demand: what it looks with is there on Linux only. */
export async function diagnose(): Promise<Diagnosis> {
  return (await import('./doctor.ts')).diagnose();
}
