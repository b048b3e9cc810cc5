import type { EncodableEvent, FunctionError, InvokeHead, LogLevel, Network, SnapshotBlocker, StreamHead, Web } from '../protocol/mod.ts';
import type { Step } from './starts.ts';

/** What must be run: all that a sandbox is given. Immutable; one spec, one kind of sandbox. */
export type SandboxSpec = {
  /** Names the function version in logs and errors, e.g. `hello:$LATEST`. */
  readonly label: string;
  /** As in the Lambda API, e.g. `nodejs26.x`. */
  readonly runtime: string;
  readonly handler: string;
  /** The unpacked package on the host: appears read-only at /var/task. With `image` that image's root. */
  readonly codeDirectory: string;
  /** It is a container image: what `codeDirectory` holds is all that it sees, read-only, and this is executed. `runtime` is one of its own. */
  readonly image?: ImageStart;
  /** It serves HTTP at a port of its own, and does not ask for events. */
  readonly web?: Web;
  /** Unpacked layers on the host, in order; appear merged and read-only at /opt. */
  readonly layerDirectories: readonly string[];
  /** The whole environment of the function: the user's variables and Lambda's reserved ones. */
  readonly environment: Readonly<Record<string, string>>;
  readonly memoryMiB: number;
  readonly tmpMiB: number;
  /** Where a driver may keep what was compiled for this version and for no other: a path that need not exist. What is there may vanish. */
  readonly compileCache?: string;
  readonly initTimeoutMs: number;
  /** Invocations that one instance may run at a time, 1 to 1,000. */
  readonly concurrency: number;
  /** What it reaches beyond its loopback; absent: nothing. SpawnSandboxes isolate nothing, and so its functions reach what the host reaches. */
  readonly network?: Network;
  /** Whose function it is, for extensions that ask for it. */
  readonly accountId?: string;
  /** Whether instances are forked from one init. Absent: when nothing of it keeps a fork from working; `always`: whatever does. */
  readonly snapshot?: 'always' | 'never';
};

/** `command`: a program by its path or, without a slash, by its name in the environment's PATH, and its arguments. */
export type ImageStart = { readonly command: readonly string[]; readonly workingDirectory: string };

/** Whether instances are forked from an init that has left these open. */
export const isForked = ({ snapshot }: SandboxSpec, blockers: readonly SnapshotBlocker[]): boolean =>
  snapshot === undefined ? blockers.length === 0 : snapshot === 'always';

/** How a sandbox or an instance ended. */
export type Exit =
  /** The function ended its process (process.exit, an uncaught exception, a native crash). */
  | { readonly kind: 'exited'; readonly code: number }
  | { readonly kind: 'signalled'; readonly signal: string }
  /** By the memory limit. */
  | { readonly kind: 'outOfMemory' }
  /** The platform ended it (`kill`, `close`), or lost it. */
  | { readonly kind: 'ended' }
  /** It sent something that is not the protocol, and was ended for it. */
  | { readonly kind: 'violated'; readonly message: string };

export type BootListener = {
  /** Console output during init, outside of any invocation; later, what cannot be told to be one instance's or another's. */
  log(text: string, level: LogLevel): void;
  /** An instance that was forked ahead has ended, and nobody had asked for it. */
  unused?(steps: readonly Step[]): void;
};

/** Why init did not lead to a template. */
export type InitFailure =
  | { readonly kind: 'failed'; readonly error: FunctionError; readonly initMs: number }
  | { readonly kind: 'exited'; readonly exit: Exit; readonly initMs: number }
  /** `missing`: what had not happened by then, where that is known. */
  | { readonly kind: 'timedOut'; readonly initMs: number; readonly missing?: string };

export type BootResult = { readonly ok: true; readonly template: Template } | { readonly ok: false; readonly failure: InitFailure };

/** Where sandboxes come from. Implementations: LinuxSandboxes (the fork ladder), SpawnSandboxes (plain processes), SimSandboxes. */
export interface Sandboxes {
  readonly driver: 'linux' | 'spawn' | 'simulated';
  /** False: functions run as plain processes of the platform's own user. */
  readonly isolated: boolean;
  /** Boots a sandbox and runs the function's init in it. A failing function is a result; throws HearthError `SandboxFailed` only for platform trouble. */
  boot(spec: SandboxSpec, listener: BootListener): Promise<BootResult>;
  /** Ends every sandbox and releases all that they held. Idempotent. */
  close(): Promise<void>;
}

/** A function version whose init has run, from which instances come. */
export interface Template {
  readonly initMs: number;
  /** Whether the handler answers by a stream. */
  readonly streaming: boolean;
  /** Whether instances are forked from it; if not, each runs init by itself. */
  readonly forks: boolean;
  /** What init left open that a fork would not have. */
  readonly blockers: readonly SnapshotBlocker[];
  /** How it was booted, in order, in monotonic time. What the sandbox says of that is taken for as much as can be true. */
  readonly steps: readonly Step[];
  /** Settles when the template can make no further instance. Instances that it made live on where the driver can do so. */
  readonly closed: Promise<Exit>;
  /**
   * A new instance. Returns at once and may be given its first invocation at once, before the process is there. What goes wrong
   * meanwhile ends the instance: `closed` settles, and its invocation ends as `died`.
   */
  fork(): Instance;
  /** What it takes of memory now, and its instances. Absent where that can't be told. */
  memory?(): TemplateMemory;
  /** No instance is asked for any more. `closed` settles when those that it made have ended, at the latest. Idempotent. */
  close(): void;
}

/**
 * What it has to itself, with the keeper of its sandbox; and an instance on average, without what it shares with the template. Undefined: that is
 * not known, or there is none.
 */
export type TemplateMemory = { readonly templateKiB?: number | undefined; readonly instanceKiB?: number | undefined };

/** A process that runs invocations, up to `spec.concurrency` at a time. */
export interface Instance {
  /** How it came to be. */
  readonly start: 'fork' | 'boot' | 'spawn';
  /** False once it takes no more invocations: killed, gone, or known to be about to end. */
  readonly alive: boolean;
  readonly closed: Promise<Exit>;
  /** Settles, and never fails, when its own init is over, however that went. Absent: it was forked from a template whose init was. */
  readonly ready?: Promise<void>;
  /** Output outside of any invocation, and that of child processes. */
  onLog: ((text: string, level: LogLevel) => void) | undefined;
  /** As a template's `steps`, up to the answer of its first invocation, at whose end they are all there. They are given once. */
  takeSteps(): readonly Step[];
  /** Runs one invocation. `listener.end` is called exactly once, and nothing of it after that. */
  invoke(head: InvokeHead, event: EncodableEvent, listener: InvocationListener): Flow;
  /**
   * Hands over an invocation for when those before it have ended, one at a time and in order. Undefined, and nothing is done, where it would
   * have no place. Absent: an instance that cannot give back what it has not begun.
   */
  handAhead?(head: InvokeHead, event: EncodableEvent, listener: InvocationListener): Flow | undefined;
  /** Takes back what was handed ahead and is not begun: each ends as `notBegun` during the call, the last one first. */
  recall?(): void;
  /** Ends the process at once, with all its children; running invocations end as `died`. Idempotent. */
  kill(): void;
}

/** Holds back a streamed answer while its reader is slow. */
export interface Flow {
  pause(): void;
  resume(): void;
}

export interface InvocationListener {
  log(text: string, level: LogLevel): void;
  /** A streamed answer begins; comes before the first chunk. */
  streamHead(head: StreamHead): void;
  /** A view that is only valid during the call. */
  streamChunk(chunk: Buffer): void;
  /** The answer of an invocation that goes on after it: its end comes later, as `over` or `died`. Absent: the answer comes as its end. */
  answered?(answer: InvocationAnswer): void;
  end(end: InvocationEnd): void;
}

export type InvocationEnd =
  | InvocationAnswer
  /** It was handed ahead, and nothing of it has run. */
  | { readonly kind: 'notBegun' }
  /** It had been answered, and has now come to its end. */
  | { readonly kind: 'over'; readonly memoryKiB: number }
  /** The instance is gone. */
  | { readonly kind: 'died'; readonly exit: Exit };

export type InvocationAnswer =
  /** `payload` is the function's response, a JSON text; a view that is only valid during the call. */
  | { readonly kind: 'answered'; readonly payload: Buffer; readonly memoryKiB: number }
  /** The stream is complete; with an error when it broke off. */
  | { readonly kind: 'streamed'; readonly error?: FunctionError; readonly memoryKiB: number }
  /** The function threw or rejected; the instance goes on. */
  | { readonly kind: 'failed'; readonly error: FunctionError; readonly memoryKiB: number };
