/**
 * One execution environment as its extensions know it: what they may ask for, when it is ready, and how it is wound down. Its phases are those of
 * "Understanding the Lambda execution environment lifecycle".
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock } from '../../kernel/mod.ts';
import type { Exit } from '../../ports/mod.ts';
import type { FunctionError, InvokeHead, LogLevel } from '../../protocol/mod.ts';
import type { Extension } from './extension.ts';
import { EXTENSIONS, ExtensionApi } from './extension-api.ts';
import type { ExtensionFacts, ShutdownReason } from './extension-api.ts';
import { Freezer } from './freezer.ts';
import { TelemetryApi } from './telemetry-api.ts';
import { subscriptionLine } from './telemetry-event.ts';
import { Telemetry } from './telemetry.ts';
import { within } from './within.ts';

export type EnvironmentOptions = {
  readonly clock: Clock;
  readonly uuid: () => string;
  readonly facts: EnvironmentFacts;
  /** Files in /opt/extensions. */
  readonly external: readonly string[];
  readonly processes: Processes;
  /** Where these APIs are found inside. */
  readonly port: () => number;
  /** The runtime stands still by itself where it waits: without extensions there is nothing to stop. */
  readonly standsStill: boolean;
  readonly windDown: WindDownMs;
};

export type EnvironmentFacts = ExtensionFacts & {
  readonly memoryMiB: number;
  /** AWS_LAMBDA_INITIALIZATION_TYPE. */
  readonly initializationType: string;
  /** Its log is in JSON. */
  readonly json: boolean;
};

/** What a driver can do with the processes of an environment. */
export interface Processes {
  /** All extensions have registered: the runtime may begin. */
  startRuntime(): void;
  freeze(frozen: boolean): void;
  signalRuntime(signal: 'SIGTERM' | 'SIGKILL'): void;
  /** To a port where something in the environment listens. */
  connect(port: number): Promise<Socket>;
}

/** What an environment has to come to its end, with external extensions, and with internal ones only; `runtime`: its part beside external ones. */
export type WindDownMs = { readonly external: number; readonly internal: number; readonly runtime: number };

/** Lambda's. */
export const WIND_DOWN_MS: WindDownMs = { external: 2_000, internal: 500, runtime: 300 };

export class Environment {
  readonly telemetry: Telemetry;
  readonly facts: EnvironmentFacts;
  /** Settles when an extension has failed: the environment is of no use any more. */
  readonly failure: Promise<FunctionError>;
  /** Settles when the runtime and all extensions wait for their first event. */
  readonly initialised: Promise<void>;
  onLog: ((text: string, level: LogLevel) => void) | undefined;
  /** Runtime and extensions all wait: it can take an invocation. */
  onReady: () => void = () => {};
  /** It can take one more than those that run: no extension is too far behind. */
  onRoom: () => void = () => {};
  onFailed: (error: FunctionError) => void = () => {};
  /** Since init, until an invocation has reported it. */
  initMs: number | undefined;
  readonly #options: EnvironmentOptions;
  readonly #extensions: ExtensionApi;
  readonly #telemetryApi: TelemetryApi;
  readonly #freezer: Freezer;
  readonly #settleFailure: (error: FunctionError) => void;
  readonly #settleInitialised: () => void;
  readonly #runtimeEnded = Promise.withResolvers<void>();
  readonly #startedMs: number;
  #phase: 'init' | 'idle' | 'invoke' | 'ending' = 'init';
  #initDone = false;
  #runtimeWaits = false;
  #runtimeGone = false;
  #runtimeTold = false;
  #failed: FunctionError | undefined;
  #reason: ShutdownReason | undefined;
  /** Called when an external extension has ended. */
  #onEnded: () => void = () => {};

  constructor(options: EnvironmentOptions) {
    const { clock, uuid, facts, external, processes, port } = options;
    this.#options = options;
    this.facts = facts;
    const failure = Promise.withResolvers<FunctionError>();
    this.failure = failure.promise;
    this.#settleFailure = failure.resolve;
    const initialised = Promise.withResolvers<void>();
    this.initialised = initialised.promise;
    this.#settleInitialised = initialised.resolve;
    this.telemetry = new Telemetry({ clock, json: facts.json, connect: (to) => processes.connect(to) });
    this.#extensions = new ExtensionApi({
      external,
      uuid,
      facts,
      listener: {
        registered: () => processes.startRuntime(),
        asked: () => {
          this.#settle();
          if (this.#phase === 'invoke' && this.ready) this.onRoom();
        },
        failed: (extension, error) => {
          this.#tellExtension(extension);
          this.#fail(error);
        },
        ended: () => this.#onEnded(),
      },
    });
    this.#telemetryApi = new TelemetryApi({
      sender: (request, response) => this.#extensions.sender(request, response),
      subscribe: (extension, subscription) => {
        const { name } = extension;
        const { dialect, types } = subscription;
        const state = this.telemetry.subscribe(name, subscription);
        this.telemetry.tell('platform.telemetrySubscription', { name, state, types });
        this.onLog?.(subscriptionLine(dialect, name, state, types), 'INFO');
      },
      port,
    });
    this.#freezer = new Freezer(clock, (frozen) => {
      this.telemetry.stand(frozen);
      processes.freeze(frozen);
    });
    this.#startedMs = clock.monotonicMs();
    const { functionName, functionVersion, memoryMiB } = facts;
    this.telemetry.tell('platform.initStart', {
      ...this.#phaseRecord(),
      functionName,
      functionVersion,
      instanceId: uuid(),
      instanceMaxMemory: memoryMiB * 1024 * 1024,
    });
    if (external.length > EXTENSIONS)
      this.#fail({ errorType: 'Extension.TooManyExtensions', errorMessage: `Extension limit (${EXTENSIONS}) exceeded` });
  }

  /** Those that there are, as far as they have begun or registered. */
  get extensions(): readonly Extension[] {
    return this.#extensions.extensions;
  }

  /** Whether it can take an invocation. */
  get ready(): boolean {
    return this.#phase === 'idle' || (this.#phase === 'invoke' && this.facts.concurrency > 1 && this.#extensions.keepsUp);
  }

  /** Runtime and extensions have all been ready once. */
  get initDone(): boolean {
    return this.#initDone;
  }

  get failed(): FunctionError | undefined {
    return this.#failed;
  }

  /** Serves a request of a process inside; false: it is none to these APIs. */
  handle(request: IncomingMessage, response: ServerResponse): boolean {
    const path = request.url!;
    if (ExtensionApi.owns(path)) this.#extensions.handle(request, response);
    else if (TelemetryApi.owns(path)) this.#telemetryApi.handle(request, response);
    else return false;
    return true;
  }

  /** A line that the function has written. */
  functionLine(text: string, level: LogLevel): void {
    this.telemetry.line('function', text);
    this.onLog?.(text, level);
  }

  extensionLine(text: string): void {
    this.telemetry.line('extension', text);
    this.onLog?.(text, 'INFO');
  }

  /** The runtime's init has failed, or did not come to its end. */
  runtimeFailed(status: 'error' | 'timeout', errorType?: string): void {
    if (this.#runtimeTold) return;
    this.#tellRuntime(status, errorType);
    if (!this.#failed) this.#tellInit(status, errorType === undefined ? {} : { errorType });
  }

  #tellRuntime(status: 'success' | 'error' | 'timeout', errorType?: string): void {
    this.#runtimeTold = true;
    const error = errorType === undefined ? {} : { errorType };
    this.telemetry.tell('platform.initRuntimeDone', { ...this.#phaseRecord(), status, ...error });
  }

  /** The runtime waits for an event (true), or has been given one (false). */
  runtimeWaits(waits: boolean): void {
    this.#runtimeWaits = waits;
    if (!waits) return;
    if (!this.#runtimeTold) this.#tellRuntime('success');
    this.#settle();
  }

  /** An invocation begins. Only when `ready`. */
  begin(head: InvokeHead): void {
    this.#freezer.idle(false);
    this.#phase = 'invoke';
    this.#runtimeWaits = false;
    this.#extensions.invoke(head);
  }

  /** The driver has seen an external extension end; undefined: it could not begin. */
  extensionEnded(name: string, exit: Exit | undefined): void {
    this.#extensions.ended(name, exit);
  }

  runtimeEnded(): void {
    this.#runtimeGone = true;
    this.#runtimeEnded.resolve();
  }

  /** Why it will be wound down, where that is not what it looks like. The first to say so is right. */
  because(reason: ShutdownReason): void {
    this.#reason ??= reason;
  }

  /** How long it may take to wind it down. */
  get windDownMs(): number {
    const { external, internal } = this.#options.windDown;
    if (this.#extensions.external.some(({ lives }) => lives)) return external;
    return this.extensions.some(({ lives }) => lives) ? internal : 0;
  }

  /** Brings it to its end within that time: first the runtime, then the extensions. What is left is for the driver to end. */
  async windDown(wanted: boolean): Promise<void> {
    const { clock, processes, windDown } = this.#options;
    const totalMs = this.windDownMs;
    this.#phase = 'ending';
    this.#freezer.idle(false);
    this.#extensions.expectEnds();
    const untilMs = clock.monotonicMs() + totalMs;
    // What is told of the end is told first, and why it is one.
    await Promise.resolve();
    this.because(wanted ? 'spindown' : 'failure');
    if (totalMs > 0) {
      void this.telemetry.flush();
      if (!this.#runtimeGone) {
        const internal = this.extensions.some(({ kind }) => kind === 'internal');
        processes.signalRuntime('SIGTERM');
        await within(clock, this.#runtimeEnded.promise, internal ? windDown.internal : windDown.runtime);
        if (!this.#runtimeGone) processes.signalRuntime('SIGKILL');
      }
      void this.telemetry.flush();
      const leftMs = Math.max(0, untilMs - clock.monotonicMs());
      const told = this.#extensions.shutDown(this.#reason!, Math.floor(clock.now() + leftMs));
      if (told.length > 0) await within(clock, this.#allEnded(told), leftMs);
    }
    this.telemetry.close();
  }

  /** Nothing of it is left. */
  close(): void {
    this.#phase = 'ending';
    this.#freezer.stop();
    this.runtimeEnded();
    this.telemetry.close();
  }

  #allEnded(extensions: readonly Extension[]): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onEnded = () => extensions.every(({ state }) => state === 'Exited') && resolve();
    this.#onEnded();
    return promise;
  }

  /** Who waits may have become all. */
  #settle(): void {
    const { standsStill } = this.#options;
    if (!this.#runtimeWaits || !this.#extensions.ready(standsStill) || this.#failed) return;
    if (this.#phase === 'init') this.#endInit();
    else if (this.#phase !== 'invoke') return;
    this.#phase = 'idle';
    if (!standsStill || this.extensions.length > 0) this.#freezer.idle(true);
    this.onReady();
  }

  #endInit(): void {
    this.#initDone = true;
    this.#extensions.close();
    this.#telemetryApi.close();
    this.telemetry.closeSubscription();
    for (const extension of this.extensions) this.#tellExtension(extension);
    this.initMs = this.#tellInit('success', {});
    this.#settleInitialised();
  }

  #tellInit(status: string, error: object): number {
    const durationMs = this.#options.clock.monotonicMs() - this.#startedMs;
    this.telemetry.tell('platform.initReport', { ...this.#phaseRecord(), status, ...error, metrics: { durationMs: rounded(durationMs) } });
    return durationMs;
  }

  #tellExtension(extension: Extension): void {
    const { name, state, events, errorType } = extension;
    this.telemetry.tell('platform.extension', { name, state, events, ...(errorType !== undefined && { errorType }) });
    this.onLog?.(extension.line(), 'INFO');
  }

  #fail(error: FunctionError): void {
    if (this.#failed || this.#phase === 'ending') return;
    this.#failed = error;
    this.because('failure');
    if (this.#phase === 'init') this.#tellInit('error', { errorType: error.errorType });
    this.#settleFailure(error);
    this.onFailed(error);
  }

  #phaseRecord(): object {
    return { initializationType: this.facts.initializationType, phase: 'init' };
  }
}

/** Milliseconds as Lambda prints them. */
export const rounded = (ms: number): number => Math.round(ms * 1000) / 1000;
