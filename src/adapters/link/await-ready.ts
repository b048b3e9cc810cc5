import type { Clock } from '../../kernel/mod.ts';
import type { BootListener, Exit, InitFailure } from '../../ports/mod.ts';
import { FRAME, FrameError } from '../../protocol/mod.ts';
import type { FrameKind, FunctionError, ReadyPayload } from '../../protocol/mod.ts';
import type { Link, LinkListener } from './link.ts';
import { readExitCode, readFunctionError, readLog, readReady } from './payloads.ts';

export type AwaitReadyOptions = {
  readonly link: Link;
  readonly initTimeoutMs: number;
  readonly clock: Clock;
  readonly listener: BootListener;
  /** What was compiled during init; a view that is only valid during the call. */
  readonly onCompileCache?: (bytes: Buffer) => void;
  /** How the process ended, from whoever waits for it; asked when the link closes before init is done. */
  readonly exited?: () => Promise<Exit>;
};

export type Ready = { readonly kind: 'ready'; readonly payload: ReadyPayload };

/**
 * The handshake after a process has been started: its log, then that init is done or has failed. The link stays open; whoever called decides
 * what becomes of it, and sets its listener.
 */
export async function awaitReady(options: AwaitReadyOptions): Promise<Ready | InitFailure> {
  const { clock, link } = options;
  const startedMs = clock.monotonicMs();
  const heard = await listen(options);
  const initMs = clock.monotonicMs() - startedMs;
  switch (heard.kind) {
    case 'ready':
      return heard;
    case 'failed':
      return { kind: 'failed', error: heard.error, initMs };
    case 'timedOut':
      return { kind: 'timedOut', initMs };
    case 'closed':
      link.destroy();
      return { kind: 'exited', exit: heard.exit, initMs };
  }
}

/** What a process says between its init and its first invocation: threads that init has begun go on. */
export const afterReady = (listener: BootListener): LinkListener => ({
  onFrame(kind, _stream, payload) {
    if (kind !== FRAME.log) return;
    const { text, level } = readLog(payload);
    listener.log(text, level);
  },
  onClosed() {},
});

type Heard =
  | Ready
  | { readonly kind: 'failed'; readonly error: FunctionError }
  | { readonly kind: 'timedOut' }
  | { readonly kind: 'closed'; readonly exit: Exit };

/** Of a process that does not say how it ends. */
const ENDED = async (): Promise<Exit> => ({ kind: 'ended' });

function listen({ link, initTimeoutMs, clock, listener, onCompileCache, exited = ENDED }: AwaitReadyOptions): Promise<Heard> {
  return new Promise((resolve) => {
    const timer = clock.after(initTimeoutMs, () => resolve({ kind: 'timedOut' }));
    const settle = (heard: Heard) => {
      timer.cancel();
      resolve(heard);
    };
    // One that has closed its link may go on all the same: its time is limited still.
    const hearEnd = () => void exited().then((exit) => settle({ kind: 'closed', exit }));
    if (!link.open) return hearEnd();
    let announced: Exit | undefined;
    link.listener = {
      onFrame(kind: FrameKind, stream: number, payload: Buffer) {
        if (stream !== 0) throw new FrameError('a frame about an invocation came during init');
        if (kind === FRAME.log) {
          const { text, level } = readLog(payload);
          listener.log(text, level);
        } else if (kind === FRAME.ready) settle({ kind: 'ready', payload: readReady(payload) });
        else if (kind === FRAME.initError) settle({ kind: 'failed', error: readFunctionError(payload) });
        else if (kind === FRAME.compileCache && onCompileCache) onCompileCache(payload);
        else if (kind === FRAME.exit) announced = { kind: 'exited', code: readExitCode(payload) };
        else throw new FrameError(`a frame of kind ${kind} came during init`);
      },
      onClosed(violation) {
        const exit: Exit | undefined = violation === undefined ? announced : { kind: 'violated', message: violation };
        if (exit) settle({ kind: 'closed', exit });
        else hearEnd();
      },
    };
  });
}
