/** The function's init: its environment, its output, its module; once per template. */
import { Module } from 'node:module';
import { machineMs } from '../ladder/steps.ts';
import type { Inventory, SnapshotBlocker } from './blockers.ts';
import { blockersSince, takeInventory } from './blockers.ts';
import type { Channel } from './channel.ts';
import { KIND } from './channel.ts';
import { configureConsole, flushLines, installConsole, logError } from './console.ts';
import { functionFacts } from './context.ts';
import { isEdgeHandler, loadWeb } from './edge.ts';
import { ending, installEnding } from './ending.ts';
import { RuntimeError, hookError, toFunctionError } from './errors.ts';
import { installHooks, runBeforeSnapshot } from './hooks.ts';
import { loadHandler } from './load.ts';
import { loadModule } from './load-wasm.ts';
import type { LoadedModule } from './load-wasm.ts';
import { native } from './native.ts';
import { followNodePath } from './node-path.ts';
import { forgetOpenings, stopWatchingOpenings, watchOpenings } from './openings.ts';
import type { Loaded } from './loaded.ts';
import { followProxy } from './proxy.ts';
import { installStreaming, streamingOptions } from './streaming.ts';

export type InitOptions = {
  /** Where the function's code lies. */
  readonly taskRoot: string;
  readonly handler: string;
  /** `wasm`: it names a WebAssembly module. */
  readonly loader: 'node' | 'wasm';
  /** Replaces the process's environment; absent: it is right already. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly channel: Channel;
  /** Ends the process at once; absent: as Node does it. */
  readonly exit?: (code: number) => void;
  /** What `prepare` returned, where it was called ahead of time. */
  readonly prepared?: Prepared;
  /** Waits until the code lies there; absent: it does. */
  readonly awaitCode?: () => void;
};

/** What was there before init; what comes later is the function's. */
export type Prepared = Inventory;

export type InitFailed = { readonly failed: unknown };
export type Initialised = Loaded & {
  readonly initMs: number;
  readonly blockers: readonly SnapshotBlocker[];
  /** When the code was there, and when the module was loaded, as `machineMs` says. */
  readonly shownMs: number;
  readonly loadedMs: number;
};

const { stringify } = JSON;
const now = performance.now.bind(performance);
const { setImmediate, setTimeout, Promise: NativePromise } = globalThis;
const TURN_MS = 2;
const TURNS_TO_CLOSE = 2;
const TURNS_TO_END = 50;

/** The part of init that needs no function. `channel` may still be without a descriptor of its own. */
export function prepare(channel: Channel): Prepared {
  installConsole(channel);
  installEnding(channel);
  installStreaming();
  installHooks();
  process.setSourceMapsEnabled(true);
  return takeInventory();
}

/** Never rejects: `failed` is what the function's module threw, or a RuntimeError. `reportInit` tells the host of either. */
export async function initialise(options: InitOptions): Promise<Initialised | InitFailed> {
  const { channel, taskRoot } = options;
  if (options.exit) ending.exit = options.exit;
  if (options.environment) replaceEnvironment(options.environment);
  const environment = { ...process.env };
  const before = options.prepared ?? prepare(channel);
  configureConsole(environment);
  followProxy();
  ending.fault = (error) => channel.sendText(KIND.initError, 0, 0, 0, stringify(error));
  ending.idle = neverInitialised;
  const facts = functionFacts(environment);
  const values = returnsValues(environment);
  options.awaitCode?.();
  const startedMs = now();
  const shownMs = machineMs();
  try {
    followNodePath(environment);
    const { loaded, afterBytes, rehearse } = await loadWatched(options, environment);
    const edge = isEdgeHandler(loaded);
    const { streaming, highWaterMark } = streamingOptions(loaded);
    const initMs = now() - startedMs;
    const loadedMs = machineMs();
    const blockers = await leftBehind(before, taskRoot);
    return {
      handler: loaded,
      edge,
      streaming: streaming || edge,
      highWaterMark,
      facts,
      returnsValues: values,
      ...(afterBytes && { afterBytes }),
      ...(rehearse && { rehearse }),
      initMs,
      blockers,
      shownMs,
      loadedMs,
    };
  } catch (error) {
    logError('Uncaught Exception', error);
    return { failed: error };
  } finally {
    forgetOpenings();
    ending.fault = () => {};
    ending.idle = () => {};
  }
}

/** All of the function's init: of what it opens is noted where. */
async function loadWatched(
  { taskRoot, handler, loader }: InitOptions,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<LoadedModule> {
  watchOpenings();
  try {
    if (loader === 'wasm') return await loadModule(taskRoot, handler, environment);
    const loaded = await loadHandler(taskRoot, handler);
    if (isEdgeHandler(loaded)) await loadWeb();
    await beforeSnapshot();
    return { loaded };
  } finally {
    stopWatchingOpenings();
  }
}

async function beforeSnapshot(): Promise<void> {
  try {
    await runBeforeSnapshot();
  } catch (error) {
    throw hookError('BeforeSnapshotError', error);
  }
}

/** What init has closed is gone with a turn of the event loop; what it has begun and not waited for is mostly about to end. */
async function leftBehind(before: Prepared, taskRoot: string): Promise<readonly SnapshotBlocker[]> {
  for (let turns = 0; ; turns++) {
    const blockers = blockersSince(before, taskRoot);
    const kinds = blockers.map(({ kind }) => kind);
    const most = native && kinds.includes('operation') ? TURNS_TO_END : TURNS_TO_CLOSE;
    if (kinds.length === 0 || kinds[0] === 'unknown' || turns >= most) return blockers;
    // From an immediate: within the callback of a timer that one still counts.
    await new NativePromise((resolve) => setTimeout(() => setImmediate(resolve), TURN_MS));
  }
}

/** The real environment, so that child processes, TZ and native code see it too. */
export function replaceEnvironment(environment: Readonly<Record<string, string>>): void {
  for (const name of Object.keys(process.env)) if (!(name in environment)) delete process.env[name];
  for (const name of Object.keys(environment)) process.env[name] = environment[name]!;
  // Node has read NODE_PATH already, when the process began.
  (Module as unknown as { _initPaths(): void })._initPaths();
}

/** Runtimes before Node 24 take a handler's answer from its promise or its callback only. */
function returnsValues(environment: Readonly<Record<string, string | undefined>>): boolean {
  const major = /^AWS_Lambda_nodejs(\d+)/.exec(environment['AWS_EXECUTION_ENV'] ?? '')?.[1];
  return major === undefined || Number(major) >= 24;
}

function neverInitialised(): void {
  const error = new RuntimeError(
    'NodeJsExit',
    'Init did not finish: a promise that the module awaits was never settled, and nothing is left that could settle it.',
  );
  logError('Uncaught Exception', error);
  flushLines();
  ending.fault(toFunctionError(error));
  process.exit(13);
}
