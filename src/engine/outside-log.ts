import type { InitFailure } from '../ports/mod.ts';
import type { LogLevel } from '../protocol/mod.ts';
import type { Deployment } from './deployment.ts';
import type { EngineLog } from './engine.ts';
import { initError } from './errors.ts';
import type { Host } from './host.ts';
import { initReportLine, withinLineLimit } from './lines.ts';
import { LogTail } from './log-tail.ts';

/** A deployment's lines that belong to no invocation: init's, and those that can't be told to be one instance's. */
export class OutsideLog {
  readonly #deployment: Deployment;
  readonly #host: Host;
  /** Init's lines, until an invocation has shown them. */
  initTail: LogTail | undefined;

  constructor(deployment: Deployment, host: Host) {
    this.#deployment = deployment;
    this.#host = host;
  }

  add(text: string, level: LogLevel, ofInit: boolean): void {
    this.#write({ timeMs: this.#host.clock.now(), level, text: withinLineLimit(text) }, ofInit);
  }

  /** The report of an init that no invocation will report. */
  initFailed(failure: InitFailure): void {
    const error = initError(undefined, failure, this.#deployment.spec.initTimeoutMs);
    const status = failure.kind === 'timedOut' ? 'timeout' : `error\tError Type: ${error.errorType}`;
    this.#write({ timeMs: this.#host.clock.now(), text: initReportLine(failure.initMs, `Status: ${status}`) }, true);
  }

  #write(line: Omit<EngineLog, 'functionName' | 'version' | 'requestId'>, ofInit: boolean): void {
    const { functionName, version } = this.#deployment;
    const whole: EngineLog = { functionName, version, ...line };
    if (ofInit) (this.initTail ??= new LogTail()).add(whole.text);
    this.#host.log(whole);
  }
}
