/** Everything here loads what it needs when it is called: what waits longest at a start begins before anything else is read. */
import type { Log } from '../kernel/mod.ts';
import type { Diagnosis } from './doctor.ts';
import type { OpenKeys } from './keys.ts';
import type { LogOptions } from './log.ts';
import type { Standalone, StandaloneOptions } from './standalone.ts';

export { startAhead } from './ahead.ts';
export type { Ahead } from './ahead.ts';
export type { Diagnosis, Finding } from './doctor.ts';
export type { Driver } from './drivers.ts';
export type { OpenKeys } from './keys.ts';
export type { LogOptions } from './log.ts';
export type { Standalone, StandaloneOptions } from './standalone.ts';

export const startStandalone = async (options: StandaloneOptions): Promise<Standalone> =>
  (await import('./standalone.ts')).startStandalone(options);

export const openKeys = async (options: { readonly dataDirectory: string }): Promise<OpenKeys> =>
  (await import('./keys.ts')).openKeys(options);

export const openLog = async (options: LogOptions): Promise<Log> => (await import('./log.ts')).openLog(options);

export const diagnose = async (): Promise<Diagnosis> => (await import('./doctor.ts')).diagnose();
