import type { Clock } from '../../kernel/mod.ts';
import type { Exit, InitFailure, Instance } from '../../ports/mod.ts';
import type { LogLevel } from '../../protocol/mod.ts';
import { libc } from '../../../runtimes/ladder/libc.ts';
import { socketPair } from '../../../runtimes/ladder/messages.ts';
import { ExtendedInstance, hearInit } from '../execution/mod.ts';
import type { Environment } from '../execution/mod.ts';
import { LinkedInstance, linkFd } from '../link/mod.ts';
import type { Link, Ready, Steps } from '../link/mod.ts';
import type { Opened } from './environments.ts';
import type { Sandbox } from './sandbox.ts';

export type AloneOptions = {
  readonly clock: Clock;
  /** What is around it: extensions. */
  readonly opened: Opened | undefined;
  /** Its init has run. */
  readonly booted: Sandbox | undefined;
  readonly take: (steps: Steps) => Promise<Sandbox>;
  readonly init: (sandbox: Sandbox, steps: Steps, log: Log) => Promise<Ready | InitFailure>;
  readonly failed: (error: unknown) => void;
};

type Log = (text: string, level: LogLevel) => void;

/** An instance in a sandbox of its own, whose template it is. */
export function bootAlone({ clock, opened, booted, take, init, failed }: AloneOptions): Instance {
  const [near, far] = socketPair();
  let sandbox = booted;
  const end = (wanted: boolean): void => {
    if (!opened) return wanted ? sandbox?.end() : sandbox?.endTemplate();
    if (!wanted) sandbox?.killTemplate();
    opened.end(wanted);
  };
  // An internal extension asks for its events by the runtime's own event loop; a runtime that stands still wakes when nothing more can come.
  const isEvented = () => opened?.environment.extensions.some(({ kind }) => kind === 'internal') === true;
  const linger = (link: Link) => void (isEvented() || link.finish());
  const { promise: ready, resolve: settleReady } = Promise.withResolvers<void>();
  const fixed = { start: 'boot', clock, reportsExit: true, end, ready } as const;
  const inner = new LinkedInstance({ link: linkFd(near), ...fixed, ...(opened && { linger }) });
  const extended = opened && new ExtendedInstance({ inner, environment: opened.environment, clock, asks: false });
  const log: Log = (text, level) => inner.onLog?.(text, level);
  const boot = async (): Promise<void> => {
    sandbox ??= await take(inner.steps);
    sandbox.onOutput = log;
    void sandbox.ended.then(() => inner.reportExit({ kind: 'ended' }));
    const heard = booted ? undefined : await init(sandbox, inner.steps, log);
    if (inner.alive && (heard === undefined || heard.kind === 'ready')) return sandbox.serve(inner, far, isEvented());
    libc.close(far);
    const exit: Exit = heard?.kind === 'exited' ? heard.exit : { kind: 'exited', code: 1 };
    extended?.abort(exit);
    if (!opened) sandbox.end();
    inner.reportExit(exit);
  };
  void boot()
    .catch((error: unknown) => {
      failed(error);
      libc.close(far);
      inner.kill();
      inner.reportExit({ kind: 'ended' });
    })
    .finally(settleReady);
  return extended ?? inner;
}

export type ExtendedOptions = {
  readonly clock: Clock;
  readonly initTimeoutMs: number;
  /** What the module's init comes to. */
  readonly ready: Promise<Ready | InitFailure>;
  readonly exited: () => Promise<Exit>;
};

/** The init of a module with extensions around it: a runtime that has loaded it waits. */
export function hearExtended(
  environment: Environment,
  { clock, initTimeoutMs, ready, exited }: ExtendedOptions,
): Promise<Ready | InitFailure> {
  const startedMs = clock.monotonicMs();
  const runtime = ready.then((heard) => {
    if (heard.kind === 'ready') environment.runtimeWaits(true);
    return heard;
  });
  const ended = exited().then((exit): InitFailure => ({ kind: 'exited', exit, initMs: clock.monotonicMs() - startedMs }));
  return hearInit({ clock, initTimeoutMs, environment, runtime, ended });
}
