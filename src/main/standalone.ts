/** One node with everything in it: opens what it keeps, joins the rooms, listens. */
import { readFileSync } from 'node:fs';
import { FileBlobs, FileFunctionLogs, openDataDirectory } from '../adapters/files/mod.ts';
import { openPackages } from '../adapters/packages/mod.ts';
import { SqliteStore } from '../adapters/sqlite/mod.ts';
import { createAdminApi } from '../api/admin/mod.ts';
import { checkListen, createDoor, openAccessKeys } from '../api/door/mod.ts';
import { createLambdaApi } from '../api/lambda/mod.ts';
import { Functions } from '../control/mod.ts';
import { createEngine } from '../engine/mod.ts';
import { createGateway } from '../gateway/mod.ts';
import { LIMITS, systemClock, systemRandom } from '../kernel/mod.ts';
import type { Clock, Log, Random } from '../kernel/mod.ts';
import type { FunctionLogs, Sandboxes } from '../ports/mod.ts';
import { createControlHttp } from './control-http.ts';
import { followChanges } from './changes.ts';
import { createDeployments } from './deployments.ts';
import { openSandboxes } from './drivers.ts';
import type { Driver } from './drivers.ts';
import { startHttpServer } from './http-server.ts';
import { readSealingKey } from './sealing-key.ts';
import { createUrlRoutes } from './url-routes.ts';

export type StandaloneOptions = {
  readonly dataDirectory: string;
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly auth: boolean;
  readonly driver: Driver;
  readonly log: Log;
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
 * `SandboxFailed` (a driver was asked for that does not work here), `BadUsage`; nothing is left open then.
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
  const { log, auth } = options;
  const clock = options.clock ?? systemClock;
  const random = options.random ?? systemRandom;
  const realm = { region: options.region ?? 'us-east-1', accountId: options.accountId ?? '000000000000' };
  const startedMs = clock.now();

  const parts = await openParts(options, { clock, random, opened });
  const { store, logs, blobs, packages, sandboxes, keys } = parts;
  const functions = await Functions.open({ store, blobs, code: packages, clock, random, realm });
  const engine = createEngine({ sandboxes, clock, random, platformLog: log, log: toFunctionLogs(logs, clock) });

  let state: 'starting' | 'ready' | 'closing' = 'starting';
  let port = options.port;
  const deploymentOf = createDeployments({
    realm,
    // A sandbox has a network of its own, in which there is no Hearth.
    ...(sandboxes.driver === 'spawn' && {
      get endpointUrl() {
        return `http://127.0.0.1:${port}`;
      },
    }),
    credentials: { accessKeyId: 'hearth', secretAccessKey: 'hearth', sessionToken: 'hearth' },
  });
  opened.defer(followChanges({ functions, engine, logs, packages, deploymentOf, log }));

  const door = createDoor({ auth, keys, clock, region: realm.region });
  const info = { version: packageVersion(), driver: sandboxes.driver, isolated: sandboxes.isolated, authentication: auth, startedMs };
  const server = await startHttpServer({
    host: options.host,
    port: options.port,
    limits: LIMITS.http,
    log,
    gateway: createGateway({
      engine,
      routes: createUrlRoutes({ table: () => functions.table, deploymentOf, fraction: () => fraction(random) }),
      clock,
      random,
      ...realm,
      limits: LIMITS,
      admit: (request) => door.admitToUrl(request),
      log,
    }),
    control: createControlHttp({
      door,
      log,
      lambda: createLambdaApi({
        functions,
        engine,
        deploymentOf,
        functionUrl: (urlId) => `http://${urlId}.lambda-url.${realm.region}.localhost:${port}/`,
        log,
      }),
      admin: createAdminApi({
        info,
        ready: () => state === 'ready',
        stats: () => engine.stats(),
        functionExists: (name) => functions.table.byName.has(name),
        logs,
        keys,
        clock,
        onError: (error) => log.error({ error }, 'the admin API failed'),
      }),
    }),
  });
  opened.defer(() => server.close(1_000));
  port = server.port;
  state = 'ready';
  log.info({ url: server.url, driver: sandboxes.driver, functions: functions.table.byName.size }, 'ready');

  const close = async () => {
    state = 'closing';
    // Timers and sockets of the rooms keep no process alive; closing has to come to its end all the same.
    const hold = setInterval(() => {}, 1_000);
    try {
      server.stop();
      await engine.drain(options.drainMs ?? 10_000);
      await opened.disposeAsync();
    } finally {
      clearInterval(hold);
    }
    log.info({}, 'closed');
  };
  let closing: Promise<void> | undefined;
  const { driver, isolated } = sandboxes;
  return { url: server.url, port, driver, isolated, close: () => (closing ??= close()) };
}

type Surroundings = { readonly clock: Clock; readonly random: Random; readonly opened: AsyncDisposableStack };

/** Everything that holds a file or a process, each opened beside the others as far as they don't need one another. */
async function openParts(options: StandaloneOptions, { clock, random, opened }: Surroundings) {
  const { log } = options;
  const data = opened.adopt(await openDataDirectory({ path: options.dataDirectory }), (directory) => directory.close());
  const openStore = async () => opened.adopt(await SqliteStore.open({ path: data.storeFile }), (store) => store.close());
  const openCode = async () => {
    const blobs = await FileBlobs.open({ directory: data.blobs });
    const packages = opened.adopt(await openPackages({ directory: data.code, blobs }), (open) => open.close());
    const where = { directory: data.run, packages: data.code };
    const { sandboxes, reason } = await openSandboxes({ driver: options.driver, ...where, clock, log });
    opened.adopt(sandboxes, (open) => open.close());
    if (!sandboxes.isolated) warnNotIsolated(log, reason);
    return { blobs, packages, sandboxes };
  };
  const openLogs = async () =>
    opened.adopt(await FileFunctionLogs.open({ directory: data.logs, clock, log }), async (logs) => {
      await logs.flush();
      await logs.close();
    });
  const [store, code, logs, sealingKey] = await settled(openStore(), openCode(), openLogs(), readSealingKey(data.path, random));
  const keys = await openAccessKeys({ store, random, clock, sealingKey });
  if (options.auth && keys.list().length === 0)
    log.warn(
      {},
      `there is no access key yet, so every request will be refused: stop, make one with "hearth keys create --data ${data.path}", start again`,
    );
  return { store, logs, keys, ...code };
}

/** As Promise.all, but waits for the others when one fails: what they open has to be known to be closed again. */
async function settled<T extends readonly unknown[]>(...promises: { [K in keyof T]: Promise<T[K]> }): Promise<T> {
  await Promise.allSettled(promises);
  return (await Promise.all(promises)) as unknown as T;
}

function toFunctionLogs(logs: FunctionLogs, clock: Clock): Parameters<typeof createEngine>[0]['log'] {
  return ({ functionName, requestId, level, text }) =>
    logs.append({
      functionName,
      timeMs: clock.now(),
      text,
      ...(requestId !== undefined && { requestId }),
      ...(level !== undefined && { level }),
    });
}

function warnNotIsolated(log: Log, reason: string | undefined): void {
  log.warn(
    reason === undefined ? {} : { reason },
    'FUNCTIONS RUN WITHOUT ISOLATION: as plain processes of this user, with all that this user may do. Run only code you trust; "hearth doctor" says what is missing',
  );
}

function fraction(random: Random): number {
  return Buffer.from(random.bytes(4)).readUInt32LE() / 2 ** 32;
}

function packageVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
