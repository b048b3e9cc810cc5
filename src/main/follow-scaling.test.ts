import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AliasRecord, FunctionChange, FunctionEntry, FunctionRecord, FunctionVersion } from '../control/mod.ts';
import type { Deployment } from '../engine/mod.ts';
import { manualClock, silentLog } from '../kernel/mod.ts';
import { toDeployment } from './deployments.ts';
import { followScaling } from './follow-scaling.ts';
import type { FollowScalingOptions } from './follow-scaling.ts';

const CONTEXT = {
  realm: { region: 'eu-west-1', accountId: '000000000000' },
  ownNetwork: true,
  hostUrl: '',
  credentials: { accessKeyId: 'id', secretAccessKey: 'secret', sessionToken: 'token' },
};

type Given = Partial<Pick<FunctionRecord, 'tags' | 'provisioned' | 'instances' | 'reservedConcurrency'>> & {
  readonly aliases?: readonly Pick<AliasRecord, 'name' | 'version' | 'weights'>[];
  readonly failed?: boolean;
};

/** A function with `$LATEST` and the versions 1 and 2. */
function entryOf({ aliases = [], failed = false, ...given }: Given = {}): FunctionEntry {
  const settings = {
    ...{ runtime: 'nodejs22.x', handler: 'index.handler', role: 'r', description: '', timeoutSeconds: 3, memoryMiB: 128, tmpMiB: 512 },
    ...{ tracing: 'PassThrough' as const, architecture: 'x86_64' as const, logging: { format: 'Text' as const, group: '/mine' } },
  };
  const versionOf = (version: string): FunctionVersion => ({
    record: { version, settings, code: { sha256: 'aa', bytes: 1 }, modifiedMs: 0, revisionId: 'r', deploymentId: `d-${version}` },
    code: failed ? { kind: 'failed', reason: 'gone' } : { kind: 'ready', directory: '/code', layers: [] },
  });
  const versions = new Map(['$LATEST', '1', '2'].map((version) => [version, versionOf(version)]));
  const records = aliases.map((alias) => ({ ...alias, description: '', revisionId: 'r' }));
  const latest = versions.get('$LATEST')!.record;
  const record: FunctionRecord = {
    schema: 1,
    name: 'hello',
    latest,
    published: 2,
    aliases: records,
    urls: [],
    policies: [],
    tags: {},
    ...given,
  };
  return { name: 'hello', arn: 'arn', record, revision: 1, versions, aliases: new Map(records.map((alias) => [alias.name, alias])) };
}

/** What the engine is told, `VERSION minInstances/provisioned`, since it was asked last. */
function follow(first?: FunctionEntry, startMs = Date.parse('2026-11-20T12:00:00Z')) {
  const clock = manualClock(startMs);
  const told: Deployment[] = [];
  const reserved = new Map<string, number | undefined>();
  const byName = new Map(first ? [['hello', first]] : []);
  let listener: ((change: FunctionChange) => void) | undefined;
  const functions = {
    table: { byName, byUrlId: new Map() },
    onChange: (each: (change: FunctionChange) => void) => ((listener = each), () => (listener = undefined)),
  };
  const deploymentOf = (entry: FunctionEntry, version: FunctionVersion) => toDeployment(entry, version, CONTEXT);
  const engine: FollowScalingOptions['engine'] = {
    rescale: (each) => told.push(each),
    reserve: (name, executions) => reserved.set(name, executions),
  };
  const stop = followScaling({ functions, engine, deploymentOf, clock, log: silentLog });
  return {
    clock,
    stop,
    deployments: told,
    reserved: () => reserved.get('hello'),
    change(entry: FunctionEntry | undefined) {
      if (entry) byName.set('hello', entry);
      else byName.delete('hello');
      listener?.({ name: 'hello', entry, formerCode: [], formerImages: [] });
    },
    told: () => told.splice(0).map(({ version, scaling }) => `${version} ${scaling?.minInstances ?? 0}/${scaling?.provisioned ?? 0}`),
  };
}

test('functions that keep instances have them from the start on, and the others are left alone', () => {
  assert.deepEqual(follow().told(), []);
  assert.deepEqual(follow(entryOf()).told(), []);
  const kept = entryOf({
    instances: [{ qualifier: '$LATEST', min: 2, max: 9 }],
    provisioned: [{ qualifier: '1', executions: 3, modifiedMs: 0 }],
  });
  assert.deepEqual(follow(kept).told(), ['$LATEST 2/0', '1 0/3']);
  assert.deepEqual(follow({ ...kept, versions: entryOf({ failed: true }).versions }).told(), []);
});

test('a change is told once, and taking it back too', () => {
  const following = follow(entryOf());
  following.change(entryOf({ tags: { 'hearth:scaling': 'queue-depth=7' } }));
  assert.equal(following.deployments[0]!.scaling?.queueDepth, 7);
  assert.deepEqual(following.told(), ['$LATEST 0/0', '1 0/0', '2 0/0']);
  following.change(entryOf({ tags: { 'hearth:scaling': 'queue-depth=7', other: 'x' } }));
  assert.deepEqual(following.told(), []);
  following.change(entryOf({ reservedConcurrency: 4, tags: { 'hearth:capacity': 'gpu' } }));
  assert.deepEqual([following.deployments[0]!.maxInstances, following.deployments[0]!.capacity?.labels], [4, ['gpu']]);
  following.told();
  following.change(entryOf());
  assert.equal(following.deployments[0]!.scaling, undefined);
  assert.equal(following.told().length, 3);
  following.change(undefined);
  following.stop();
  following.change(entryOf({ reservedConcurrency: 4 }));
  assert.deepEqual(following.told(), []);
});

test('what an alias has moves with it, and is divided as its weights say', () => {
  const provisioned = [{ qualifier: 'live', executions: 10, modifiedMs: 0 }];
  const live = (version: string, weights: Record<string, number> = {}) =>
    entryOf({ provisioned, aliases: [{ name: 'live', version, weights }] });
  const following = follow(live('1'));
  assert.deepEqual(following.told(), ['1 0/10']);
  following.change(live('1', { 2: 0.25 }));
  assert.deepEqual(following.told(), ['1 0/7', '2 0/3']);
  following.change(live('2'));
  assert.deepEqual(following.told(), ['1 0/0', '2 0/10']);
});

test('what was published last has what was set for that, unless it has its own', () => {
  const newest = { qualifier: '$LATEST.PUBLISHED', min: 3 };
  assert.deepEqual(follow(entryOf({ instances: [newest] })).told(), ['2 3/0']);
  assert.deepEqual(follow(entryOf({ instances: [newest, { qualifier: '2', min: 1 }] })).told(), ['2 1/0']);
});

test('what is reserved is the function’s, whatever is the matter with its versions and its tags, and goes with it', () => {
  const following = follow(entryOf({ reservedConcurrency: 4, failed: true }));
  assert.equal(following.reserved(), 4);
  following.change(entryOf({ reservedConcurrency: 0, tags: { 'hearth:warm:x': 'whenever' } }));
  assert.equal(following.reserved(), 0);
  following.change(entryOf());
  assert.equal(following.reserved(), undefined);
  following.change(entryOf({ reservedConcurrency: 3 }));
  following.change(undefined);
  assert.equal(following.reserved(), undefined);
});

test('instances that share are fewer, and no more than what is reserved needs', () => {
  const tags = { 'hearth:scaling': 'concurrency=10' };
  const { deployments } = follow(
    entryOf({ tags, reservedConcurrency: 15, provisioned: [{ qualifier: '1', executions: 15, modifiedMs: 0 }] }),
  );
  const one = deployments.find(({ version }) => version === '1')!;
  assert.deepEqual([one.spec.concurrency, one.maxInstances, one.scaling?.provisioned], [10, 2, 2]);
});

test('a schedule has its instances from its time on until its end, and the minimum holds beside it', () => {
  const tags = {
    'hearth:warm:noon': 'cron(0 13 * * ? *) for=2h instances=5',
    'hearth:warm:live': 'cron(30 13 * * ? *) for=1h instances=4 qualifier=live',
  };
  const following = follow(
    entryOf({ tags, instances: [{ qualifier: '$LATEST', min: 1 }], aliases: [{ name: 'live', version: '2', weights: {} }] }),
  );
  assert.deepEqual(following.told(), ['$LATEST 1/0']);
  const hour = 3_600_000;
  following.clock.advance(hour - 1);
  assert.deepEqual(following.told(), []);
  following.clock.advance(1);
  assert.deepEqual(following.told(), ['$LATEST 5/0']);
  following.clock.advance(hour / 2);
  assert.deepEqual(following.told(), ['2 4/0']);
  following.clock.advance(hour);
  assert.deepEqual(following.told(), ['2 0/0']);
  following.clock.advance(hour);
  assert.deepEqual(following.told(), ['$LATEST 1/0']);
  following.clock.advance(21.5 * hour);
  assert.deepEqual(following.told(), ['$LATEST 5/0']);
  following.change(entryOf());
  assert.deepEqual(following.told(), ['$LATEST 0/0']);
  following.clock.advance(48 * hour);
  assert.deepEqual(following.told(), []);
});

test('who starts in the middle of a window has its instances at once', () => {
  const tags = { 'hearth:warm:office': 'cron(0 8 ? * MON-FRI *) for=10h instances=5 timezone=Europe/Berlin' };
  assert.deepEqual(follow(entryOf({ tags }), Date.parse('2026-11-20T07:30:00Z')).told(), ['$LATEST 5/0']);
  assert.deepEqual(follow(entryOf({ tags }), Date.parse('2026-11-22T07:30:00Z')).told(), []);
});

test('a function whose tags cannot be understood is left as it is', () => {
  const following = follow(entryOf({ tags: { 'hearth:warm:x': 'whenever' } }));
  assert.deepEqual(following.told(), []);
  following.change(entryOf({ instances: [{ qualifier: '1', min: 1 }] }));
  assert.deepEqual(following.told(), ['1 1/0']);
});
