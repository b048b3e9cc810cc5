import type { InitFailure, Start, StartKind, Step } from '../ports/mod.ts';
import { snapshotText } from '../protocol/mod.ts';
import type { LogLevel } from '../protocol/mod.ts';
import type { Deployment } from './deployment.ts';
import type { EngineLog, Snapshot } from './engine.ts';
import { initError } from './errors.ts';
import type { Host } from './host.ts';
import { initReportLine, withinLineLimit } from './lines.ts';
import { LogTail } from './log-tail.ts';
import { loneStart } from './starts.ts';
import type { BootStory, Story } from './starts.ts';
import type { BootOutcome } from './template-slot.ts';

/** What a deployment has to tell beside its invocations: of its inits, and lines that can't be told to be one instance's. */
export class OutsideLog {
  readonly #deployment: Deployment;
  readonly #host: Host;
  /** Init's lines, until an invocation has shown them. */
  initTail: LogTail | undefined;
  /** The init's duration, until an invocation has reported it. */
  #initMs: number | undefined;

  constructor(deployment: Deployment, host: Host) {
    this.#deployment = deployment;
    this.#host = host;
  }

  add(text: string, level: LogLevel, ofInit: boolean): void {
    this.#write({ timeMs: this.#host.clock.now(), level, text: withinLineLimit(text) }, ofInit);
  }

  /** `awaited`: by invocations, whose reports tell of it. */
  booted(outcome: BootOutcome, story: BootStory, awaited: boolean): void {
    if (outcome.ok) {
      this.#initMs = outcome.template.initMs;
      this.#tellSnapshot(outcome.template);
    } else if (outcome.failure.kind === 'init') {
      this.#initFailed(outcome.failure.failure);
    }
    if (awaited && story.cause !== 'deployed') return;
    this.#startedAlone(this.#host.bootKind, story, outcome.ok ? 'template ready' : 'boot failed');
  }

  /** An instance has ended that was forked ahead, and for nobody. */
  unused(steps: readonly Step[]): void {
    if (steps.length > 0) this.#startedAlone('fork', { cause: 'ahead, and not used', steps }, 'ended');
  }

  /** An instance was made that nobody waits for. */
  ahead({ kind, cause }: Start, steps: readonly Step[], nowMs: number): void {
    this.#startedAlone(kind, { cause, steps: steps.length > 0 ? steps : [{ name: 'decided', atMs: nowMs }] }, 'ordered');
  }

  #startedAlone(kind: StartKind, story: Story, last: string): void {
    const { clock, random, started } = this.#host;
    const { functionName, version } = this.#deployment;
    const nowMs = clock.monotonicMs();
    const timeMs = clock.now() - Math.round(nowMs - story.steps[0]!.atMs);
    started({ id: random.uuid(), functionName, version, timeMs, start: loneStart(kind, story, { name: last, atMs: nowMs }) });
  }

  takeInitMs(): number | undefined {
    const initMs = this.#initMs;
    this.#initMs = undefined;
    return initMs;
  }

  /** Once for each template, not for each instance that boots by itself. Without forks at all there is nothing to say. */
  #tellSnapshot({ forks, blockers }: Snapshot): void {
    const { snapshot } = this.#deployment.spec;
    if (snapshot === 'never' || this.#host.sandboxes.driver === 'spawn') return;
    const text = snapshotText(forks, blockers);
    if (text !== undefined) this.add(`${text} See docs/snapshots.md.`, 'WARN', true);
  }

  /** The report of an init that no invocation will report. */
  #initFailed(failure: InitFailure): void {
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
