/** One node with everything in it: opens what it keeps, joins the rooms, listens. */
import { readFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { checkListen } from '../api/door/mod.ts';
import type { Gateway } from '../gateway/mod.ts';
import { LIMITS, systemClock, systemRandom } from '../kernel/mod.ts';
import type { Clock, Log, Random } from '../kernel/mod.ts';
import type { FunctionLogs, Sandboxes } from '../ports/mod.ts';
import type { Ahead } from './ahead.ts';
import { roomFor } from './drivers.ts';
import type { EvictionOrder, PolicyName, PolicyOptions } from '../policy/mod.ts';
import type { Driver } from './drivers.ts';
import { startHttpServer } from './http-server.ts';
import { DEFAULT_MEMORY, memoryMiB, openMachine } from './machine.ts';
import type { MemoryLimit } from './machine.ts';
import { openParts } from './parts.ts';
import type { Rooms } from './rooms.ts';
import { openWayOut } from './way-out.ts';

export type StandaloneOptions = {
  readonly dataDirectory: string;
  /** Where the sealing key is; default: in the data directory. */
  readonly keyFile?: string;
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly auth: boolean;
  readonly driver: Driver;
  /** Invocations that may run at a time, all functions together; default 1,000. */
  readonly concurrency?: number;
  /** How long an idle instance is kept; default 10 minutes. */
  readonly keepAliveMs?: number;
  /** What instances and templates may hold of memory; default 90 % of what there is. */
  readonly memory?: MemoryLimit;
  /** Who goes first where that does not suffice; default `value`. */
  readonly eviction?: EvictionOrder;
  /** What decides how long an idle function is held, and when it is loaded ahead of a call; default `hazard`. */
  readonly warming?: PolicyName;
  readonly warmingOptions?: PolicyOptions;
  /** The policy's time over real time; default 1. At another one nothing is learnt that lasts. */
  readonly warmingSpeed?: number;
  readonly log: Log;
  /** What `startAhead` has begun already. */
  readonly ahead?: Ahead;
  /** Default us-east-1. */
  readonly region?: string;
  /** Twelve digits; default 000000000000, as local platforms have it. */
  readonly accountId?: string;
  readonly clock?: Clock;
  readonly random?: Random;
  /** How long running invocations may go on when it closes; default 10 s. */
  readonly drainMs?: number;
};

export interface Standalone {
  /** `http://HOST:PORT` */
  readonly url: string;
  readonly port: number;
  readonly driver: Sandboxes['driver'];
  readonly isolated: boolean;
  /** Stops listening, lets running invocations finish, writes what is to be written, gives the data directory back. Idempotent. */
  close(): Promise<void>;
}

/**
 * Resolves once it answers. Throws HearthError `ListenRefused`, `AddressInUse`, `DataDirectoryLocked`, `DataDirectoryUnusable`,
 * `SealingKeyUnusable`, `SandboxFailed` (a driver was asked for that does not work here), `BadUsage`; nothing is left open then.
 */
export async function startStandalone(options: StandaloneOptions): Promise<Standalone> {
  checkListen(options);
  const opened = new AsyncDisposableStack();
  try {
    return await start(options, opened);
  } catch (error) {
    await opened.disposeAsync();
    throw error;
  }
}

async function start(options: StandaloneOptions, opened: AsyncDisposableStack): Promise<Standalone> {
  const { log, auth, host } = options;
  const clock = options.clock ?? systemClock;
  const random = options.random ?? systemRandom;
  const concurrency = options.concurrency ?? LIMITS.concurrentInvocations;
  // Half of them may rest.
  const instances = await roomFor(2 * concurrency, log);
  const machine = await openMachine(clock);
  const room = { machine, memoryMiB: memoryMiB(options.memory ?? DEFAULT_MEMORY, machine), eviction: options.eviction };
  const realm = { region: options.region ?? 'us-east-1', accountId: options.accountId ?? '000000000000' };
  let stage: Stage = { kind: 'starting' };
  let port = options.port;

  // Loaded only then: meanwhile the first sandbox and the store come up, in a process and a thread of their own.
  let loading: Promise<typeof import('./rooms.ts')> | undefined;
  const begun = () => void (loading = import('./rooms.ts'));
  const gateway: Gateway = {
    serve: (request, response) => stage.kind !== 'starting' && stage.rooms.gateway.serve(request, response),
    servePlain: (request, body, client) => stage.kind !== 'starting' && stage.rooms.gateway.servePlain(request, body, client),
  };
  const control = (request: IncomingMessage, response: ServerResponse) =>
    stage.kind === 'starting' ? refuse(response) : stage.rooms.control(request, response);
  const serve = (request: IncomingMessage, response: ServerResponse) =>
    void (gateway.serve(request, response) || control(request, response));
  const logs: { current?: FunctionLogs } = {};
  const refused = (functionName: string, reason: string) =>
    logs.current?.append({ functionName, timeMs: clock.now(), level: 'WARN', text: `The network refused a connection: ${reason}` });
  const { connected, callerOf } = opened.adopt(openWayOut({ serve, port: () => port, refused, log }), ({ close }) => close());
  const parts = await openParts({ ...options, clock, begun, connected, instances }, opened);
  logs.current = parts.logs;
  // Callers wait on theirs, and others keep one for the next call.
  const limits = { ...LIMITS.http, connections: Math.max(LIMITS.http.connections, 2 * concurrency) };
  const server = await startHttpServer({ host, port, limits, log, clock, gateway, control });
  opened.defer(() => server.close(LAST_ANSWERS_MS));
  port = server.port;
  const { joinRooms } = await loading!;
  const keepAliveMs = options.keepAliveMs ?? LIMITS.keepAliveMs;
  const warming = {
    policy: options.warming ?? 'hazard',
    options: { keepMs: keepAliveMs, ...options.warmingOptions },
    speed: options.warmingSpeed ?? 1,
  } as const;
  const version = await packageVersion();
  const surroundings = { realm, auth, concurrency, instances, keepAliveMs, room, warming, clock, random, log, version };
  const rooms = await joinRooms({ ...surroundings, parts, callerOf, port: () => port, ready: () => stage.kind === 'ready' }, opened);
  const { engine } = rooms;
  // Once more, now before the rooms: no request may find them gone.
  opened.defer(() => server.close(LAST_ANSWERS_MS));
  stage = { kind: 'ready', rooms };
  const { driver, isolated } = rooms.sandboxes;
  log.info({ url: server.url, driver, functions: rooms.functions.table.byName.size }, 'ready');

  const close = async () => {
    stage = { kind: 'closing', rooms };
    // Timers and sockets of the rooms keep no process alive; closing has to come to its end all the same.
    const hold = setInterval(() => {}, 1_000);
    try {
      server.stop();
      await engine.drain(options.drainMs ?? DRAIN_MS);
      await opened.disposeAsync();
    } finally {
      clearInterval(hold);
    }
    log.info({}, 'closed');
  };
  let closing: Promise<void> | undefined;
  return { url: server.url, port, driver, isolated, close: () => (closing ??= close()) };
}

type Stage = { readonly kind: 'starting' } | { readonly kind: 'ready' | 'closing'; readonly rooms: Rooms };

const DRAIN_MS = 10_000;
/** How long answers that are there already may take to be read. */
const LAST_ANSWERS_MS = 1_000;

/** A port that is listened at answers, also while the rest comes up. */
function refuse(response: ServerResponse): void {
  const message = 'Hearth is starting: try again in a moment.';
  response.writeHead(503, { 'content-type': 'application/json', 'retry-after': '1', connection: 'close' }).end(JSON.stringify({ message }));
}

async function packageVersion(): Promise<string> {
  const text = await readFile(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
