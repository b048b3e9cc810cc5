/** Everything here loads what it needs when it is called: what waits longest at a start begins before anything else is read. */
import type { Log } from '../kernel/mod.ts';
import type { Diagnosis } from './doctor.ts';
import type { KeysOptions, OpenKeys } from './keys.ts';
import type { LogOptions } from './log.ts';
import type { Survey } from './runtimes.ts';
import type { Standalone, StandaloneOptions } from './standalone.ts';

export { startAhead } from './ahead.ts';
export type { Ahead } from './ahead.ts';
export type { Diagnosis, Finding } from './doctor.ts';
export type { Driver } from './drivers.ts';
export type { KeysOptions, OpenKeys } from './keys.ts';
export type { MemoryLimit } from './machine.ts';
export type { LogOptions } from './log.ts';
export type { RuntimeReport, Survey } from './runtimes.ts';
export type { Standalone, StandaloneOptions } from './standalone.ts';

export const startStandalone = async (options: StandaloneOptions): Promise<Standalone> =>
  (await import('./standalone.ts')).startStandalone(options);

export const openKeys = async (options: KeysOptions): Promise<OpenKeys> => (await import('./keys.ts')).openKeys(options);

export const rotateSealing = async (options: KeysOptions): ReturnType<typeof import('./keys.ts').rotateSealing> =>
  (await import('./keys.ts')).rotateSealing(options);

export const openLog = async (options: LogOptions): Promise<Log> => (await import('./log.ts')).openLog(options);

export const surveyRuntimes = async (): Promise<Survey> => (await import('./runtimes.ts')).surveyRuntimes();

export const diagnose = async (): Promise<Diagnosis> => (await import('./doctor.ts')).diagnose();

/** The text format of a WebAssembly module, as its binary. Throws HearthError `InvalidParameterValueException`. */
export const convertWat = async (text: Uint8Array): Promise<Uint8Array> => (await import('../adapters/packages/mod.ts')).convertWat(text);
