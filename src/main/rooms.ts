/** Joins the rooms over the parts they stand on. All of the wiring is here, as plain code. */
import { availableParallelism } from 'node:os';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createAdminApi } from '../api/admin/mod.ts';
import { createDoor, openAccessKeys } from '../api/door/mod.ts';
import { createLambdaApi } from '../api/lambda/mod.ts';
import type { LambdaApiOptions } from '../api/lambda/mod.ts';
import { Functions } from '../control/mod.ts';
import type { Realm } from '../control/mod.ts';
import { createEngine } from '../engine/mod.ts';
import type { Engine } from '../engine/mod.ts';
import { createGateway } from '../gateway/mod.ts';
import type { Gateway } from '../gateway/mod.ts';
import { LIMITS } from '../kernel/mod.ts';
import type { Clock, Log, Random } from '../kernel/mod.ts';
import { API_TAG, parseApiGrant } from '../protocol/mod.ts';
import type { EvictionOrder, PolicyName, PolicyOptions } from '../policy/mod.ts';
import type { Machine, Sandboxes } from '../ports/mod.ts';
import { followChanges } from './changes.ts';
import { createControlHttp } from './control-http.ts';
import { createDeployments, deploymentIdOf } from './deployments.ts';
import { followScaling } from './follow-scaling.ts';
import { imageAdmin, imageStore } from './images.ts';
import type { Parts } from './parts.ts';
import { openSeal } from './sealing.ts';
import { createUrlRoutes } from './url-routes.ts';
import { warmReport } from './warm-report.ts';
import { keepWarming, loadWarming, openWarming } from './warming.ts';

export type RoomsOptions = {
  readonly parts: Parts;
  readonly realm: Realm;
  readonly auth: boolean;
  /** Invocations that may run at a time, and instances there may be. */
  readonly concurrency: number;
  readonly instances: number;
  /** How long an idle one is kept, in the time of warming. */
  readonly keepAliveMs: number;
  /** What is held of functions that nobody calls. */
  readonly warming: { readonly policy: PolicyName; readonly options: PolicyOptions; readonly speed: number };
  /** What they stand on, what of its memory they may hold, and who goes first where that does not suffice. */
  readonly room: { readonly machine: Machine | undefined; readonly memoryMiB: number; readonly eviction: EvictionOrder | undefined };
  readonly version: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** The function that a request comes from; undefined: it comes from elsewhere. */
  readonly callerOf: (request: IncomingMessage) => { readonly functionName: string } | undefined;
  /** The port that was listened at in the end: asked for when an address is needed. */
  readonly port: () => number;
  readonly ready: () => boolean;
};

export type Rooms = {
  readonly engine: Engine;
  readonly functions: Functions;
  readonly sandboxes: Sandboxes;
  readonly gateway: Gateway;
  readonly control: (request: IncomingMessage, response: ServerResponse) => void;
};

export async function joinRooms(options: RoomsOptions, opened: AsyncDisposableStack): Promise<Rooms> {
  const { parts, realm, auth, clock, random, log, concurrency, instances, keepAliveMs } = options;
  const { machine, memoryMiB, eviction } = options.room;
  const { store, logs, blobs, packages, keyFile } = parts;
  const startedMs = clock.now();
  const warming = openWarming(options.warming);
  // What was learnt in hours that were minutes is true of no real function.
  const lasting = warming.speed === 1 ? store : undefined;
  const seal = await openSeal({ store, keyFile, keys: parts.sealingKeys, random });
  const opening = Functions.open({
    store,
    blobs,
    code: packages,
    images: imageStore(parts.images),
    clock,
    random,
    realm,
    seal,
    concurrency,
    log,
  });
  // Read while functions wait for the disk.
  const [functions, learnt] = await Promise.all([opening, lasting && loadWarming(lasting)]);
  const keys = await openAccessKeys({ store, random, clock, seal });
  if (auth && keys.list().length === 0) warnNoKeys(log, parts.dataDirectory);

  const sandboxes = await parts.sandboxes;
  const engine = createEngine({
    sandboxes,
    clock,
    random,
    platformLog: log,
    log: (line) => logs.append(line),
    report: (report) => logs.report(report),
    started: (start) => logs.started(start),
    isFollowed: (functionName) => logs.isFollowed(functionName),
    limits: {
      processors: availableParallelism(),
      concurrentInvocations: concurrency,
      unreservedInvocations: LIMITS.unreservedConcurrency,
      maxInstancesTotal: instances,
      keepAliveMs: keepAliveMs / warming.speed,
      memoryMiB,
      ...(eviction && { eviction }),
    },
    machine,
    warming: { policy: warming.policy, speed: warming.speed, ...(learnt && { saved: learnt }) },
  });
  const deploymentOf = createDeployments({
    realm,
    ownNetwork: sandboxes.driver !== 'spawn',
    get hostUrl() {
      return `http://127.0.0.1:${options.port()}`;
    },
    credentials: { accessKeyId: 'hearth', secretAccessKey: 'hearth', sessionToken: 'hearth' },
  });
  opened.defer(followChanges({ functions, engine, logs, deploymentOf, log }));
  opened.defer(followScaling({ functions, engine, deploymentOf, clock, log }));
  opened.defer(keepWarming({ store: lasting, engine, functions, deploymentOf, clock, log }));

  const door = createDoor({ auth, keys, clock, region: realm.region });
  const { driver, isolated } = sandboxes;
  const info = {
    version: options.version,
    driver,
    isolated,
    authentication: auth,
    keepAliveMs,
    warming: options.warming.policy,
    startedMs,
  };
  const routes = createUrlRoutes({ table: () => functions.table, deploymentOf, fraction: () => fraction(random) });
  // A function may invoke, and need not sign for it: the connection says who it is.
  const admit = (request: IncomingMessage) => (options.callerOf(request) ? undefined : door.admitToUrl(request));
  const callerOf = (request: IncomingMessage) => {
    const caller = options.callerOf(request);
    return caller && { ...caller, api: parseApiGrant(functions.table.byName.get(caller.functionName)?.record.tags[API_TAG]) };
  };
  const functionUrl = (urlId: string) => `http://${urlId}.lambda-url.${realm.region}.localhost:${options.port()}/`;
  const provisioningOf: LambdaApiOptions['provisioningOf'] = (entry, { record }) => engine.statsOf(deploymentIdOf(entry, record))?.kept;
  const lambda = createLambdaApi({ functions, engine, deploymentOf, functionUrl, provisioningOf, log });
  const admin = createAdminApi({
    info,
    ready: options.ready,
    stats: () => engine.stats(),
    load: () => engine.load(),
    functionNames: () => functions.table.byName.keys(),
    functionExists: (name) => functions.table.byName.has(name),
    warmth: (name) => warmReport(functions.get(name), { engine, nowMs: clock.now() }),
    warming: () => warming.report(engine.sharedWarming()),
    logs,
    keys,
    images: imageAdmin(parts, functions.images),
    clock,
    onError: (error) => log.error({ error }, 'the admin API failed'),
  });
  return {
    engine,
    functions,
    sandboxes,
    gateway: createGateway({ engine, routes, clock, random, ...realm, limits: LIMITS, admit, log }),
    control: createControlHttp({ door, callerOf, lambda, admin, log }),
  };
}

function warnNoKeys(log: Log, dataDirectory: string): void {
  const create = `hearth keys create --data ${dataDirectory}`;
  log.warn({}, `there is no access key yet, so every request will be refused: stop, make one with "${create}", start again`);
}

function fraction(random: Random): number {
  return Buffer.from(random.bytes(4)).readUInt32LE() / 2 ** 32;
}
