import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import * as sdk from '@aws-sdk/client-lambda';
import { temporaryDirectory } from '../temporary.ts';
import { connect, eventually, startIsolated } from './platform.ts';
import type { Isolated } from './platform.ts';
import { startPlatform } from './cli-platform.ts';

type Warmth = {
  readonly versions: readonly {
    readonly version: string;
    readonly aliases: readonly string[];
    readonly instances: { readonly idle: number; readonly busy: number };
    readonly wanted: number;
    readonly because: Readonly<Record<string, number>>;
    readonly starts: Readonly<Record<string, number>>;
    readonly causes: Readonly<Record<string, Readonly<Record<string, number>>>>;
  }[];
  readonly schedules: readonly { readonly id: string; readonly open: boolean; readonly known: boolean }[];
};

const SOURCE = `let calls = 0; export const handler = async () => ({ calls: ++calls, version: process.env.AWS_LAMBDA_FUNCTION_VERSION });`;

const warmthOf = ({ platform }: Isolated, name: string) => platform.json<Warmth>(['warm', 'explain', name]);

const idleOf = async (isolated: Isolated, name: string, version: string): Promise<number> =>
  (await warmthOf(isolated, name)).versions.find((each) => each.version === version)?.instances.idle ?? 0;

/** Versions 1 and 2, and the alias `live` of the first. */
async function publish(isolated: Isolated, FunctionName: string): Promise<void> {
  const { client } = isolated;
  await isolated.create(FunctionName, SOURCE);
  await client.send(new sdk.PublishVersionCommand({ FunctionName }));
  await isolated.update(FunctionName, `${SOURCE} // again`);
  await client.send(new sdk.PublishVersionCommand({ FunctionName }));
  await client.send(new sdk.CreateAliasCommand({ FunctionName, Name: 'live', FunctionVersion: '1' }));
}

test('what is provisioned for an alias is there before the first call, moves with the alias, and is there again after a restart', async (t) => {
  const data = temporaryDirectory(t);
  const isolated = await startIsolated(t, data);
  if (!isolated) return;
  await publish(isolated, 'hello');
  const { client, platform } = isolated;
  const status = async () => client.send(new sdk.GetProvisionedConcurrencyConfigCommand({ FunctionName: 'hello', Qualifier: 'live' }));

  const ready = await platform.json<{ status: string; available: number }>(['provision', 'hello:live', '3']);
  assert.deepEqual([ready.status, ready.available], ['READY', 3]);
  assert.equal(await idleOf(isolated, 'hello', '1'), 3);
  const { Payload } = await client.send(new sdk.InvokeCommand({ FunctionName: 'hello', Qualifier: 'live' }));
  assert.deepEqual(JSON.parse(Payload!.transformToString()), { calls: 1, version: '1' });
  const [first] = (await warmthOf(isolated, 'hello')).versions.filter(({ version }) => version === '1');
  assert.deepEqual(
    [first!.aliases, first!.because, first!.starts['warm']],
    [['live'], { minimum: 0, scheduled: 0, provisioned: 3, load: 0 }, 1],
  );

  await client.send(new sdk.UpdateAliasCommand({ FunctionName: 'hello', Name: 'live', FunctionVersion: '2' }));
  await eventually(async () => assert.equal((await status()).Status, 'READY'));
  assert.equal(await idleOf(isolated, 'hello', '2'), 3);

  await platform.stop('SIGKILL');
  const again = connect(t, await startPlatform(t, [], data));
  await eventually(async () => assert.equal(await idleOf(again, 'hello', '2'), 3));
  const { Status } = await again.client.send(new sdk.GetProvisionedConcurrencyConfigCommand({ FunctionName: 'hello', Qualifier: 'live' }));
  assert.equal(Status, 'READY');
  assert.equal((await again.platform.json<{ requested: number }>(['provision', 'hello:live', '--delete'])).requested, 0);
});

test('what cannot be provisioned for now says why', async (t) => {
  const isolated = await startIsolated(t);
  if (!isolated) return;
  await isolated.create('broken', `throw new Error('no such luck'); export const handler = 1;`);
  await isolated.client.send(new sdk.PublishVersionCommand({ FunctionName: 'broken' }));
  type Provisioned = { readonly status: string; readonly reason: string | null; readonly available: number };
  await isolated.platform.json<Provisioned>(['provision', 'broken:1', '2', '--no-wait']);
  await eventually(async () => {
    const { status, reason, available } = await isolated.platform.json<Provisioned>(['provision', 'broken:1']);
    assert.deepEqual([status, available], ['IN_PROGRESS', 0]);
    assert.match(reason ?? '', /no such luck/);
  });
});

test('numbers of instances change without anything booted anew, and a schedule keeps what it says while it is open', async (t) => {
  const isolated = await startIsolated(t);
  if (!isolated) return;
  const { platform } = isolated;
  await isolated.create('hello', SOURCE);
  await isolated.invoke('hello');
  const templates = async () => {
    const { stdout } = await platform.hearth(['trace', 'hello', '--kind', 'boot', '--json']);
    return (JSON.parse(stdout) as object[]).length;
  };
  const boots = await templates();
  const scaled = await platform.json<{ minInstances: number; maxInstances: number }>([
    'scale',
    'hello',
    '--min',
    '2',
    '--max',
    '6',
    '--queue-depth',
    '9',
  ]);
  assert.deepEqual([scaled.minInstances, scaled.maxInstances], [2, 6]);
  await eventually(async () => assert.equal(await idleOf(isolated, 'hello', '$LATEST'), 2));
  // Open always: each of its times is followed by the next before the window closes.
  await platform.json(['warm', 'schedule', 'hello', '--cron', 'rate(1 minute)', '--for', '5m', '--instances', '4', '--id', 'always']);
  await eventually(async () => assert.equal(await idleOf(isolated, 'hello', '$LATEST'), 4));
  const { versions, schedules } = await warmthOf(isolated, 'hello');
  assert.deepEqual(versions[0]!.because, { minimum: 2, scheduled: 4, provisioned: 0, load: 0 });
  assert.deepEqual(
    schedules.map(({ id, open, known }) => [id, open, known]),
    [['always', true, true]],
  );
  const { calls } = (await isolated.invoke('hello')).value as { calls: number };
  assert.ok(calls >= 1);
  assert.equal(await templates(), boots);
  assert.deepEqual(await platform.json(['warm', 'schedule', 'hello', '--delete', 'always']), []);
  assert.match((await platform.hearth(['scale', 'hello'])).stdout, /min instances +2 +MinExecutionEnvironments/);
  assert.match((await platform.hearth(['warm', 'explain', 'hello'])).stdout, /kept +\d: minimum 2[^]*fork +\d/);
});

test('instances take as many at a time as was said, and others are refused what they cannot do', async (t) => {
  const isolated = await startIsolated(t);
  if (!isolated) return;
  const { platform } = isolated;
  const source = `export const handler = async () => { await new Promise((done) => setTimeout(done, 300)); return process.pid; };`;
  await isolated.create('many', source, { Timeout: 20 });
  await platform.json(['scale', 'many', '--concurrency', '10', '--max', '1']);
  const pids = await Promise.all(Array.from({ length: 8 }, async () => (await isolated.invoke('many')).value));
  assert.equal(new Set(pids).size, 1);
  const wrong: readonly (readonly [readonly string[], RegExp])[] = [
    [['scale', 'many', '--concurrency', '0'], /from 1 to 1000/],
    [['scale', 'many', '--min', '2', '--concurrency', '3'], /--min 2 is more than --max 1/],
    [['scale', 'many', '--class', 'best'], /reserved, standard, spot/],
    [['scale', 'many', '--target', '7'], /from 0\.1 to 1/],
    [['scale', 'nobody'], /Function not found/],
    [['provision', 'many', '3'], /name a version or an alias/],
    [['provision', 'many:1', 'x'], /a whole number/],
    [['warm', 'schedule', 'many', '--cron', 'cron(0 8 * * * *)', '--for', '1h', '--instances', '1'], /has to have \?/],
    [['warm', 'schedule', 'many', '--cron', 'rate(1 hour)', '--instances', '1'], /goes with --for/],
    [['warm', 'schedule', 'many:nobody', '--cron', 'rate(1 hour)', '--for', '1h', '--instances', '1'], /nobody/],
    [['warm', 'schedule', 'many', '--delete', 'x'], /no schedule x/],
    [['warm', 'explain', 'nobody'], /Function not found/],
  ];
  for (const [args, message] of wrong) {
    const ran = await platform.hearth(args);
    assert.notEqual(ran.code, 0, args.join(' '));
    assert.match(ran.stderr, message, args.join(' '));
  }
  const after = await platform.json<{ concurrency: number; minInstances: number; class: string }>(['scale', 'many']);
  assert.deepEqual([after.concurrency, after.minInstances, after.class], [10, 0, 'standard']);
  const back = await platform.json<{ concurrency: number; maxInstances: null; labels: string[] }>([
    ...['scale', 'many', '--concurrency', 'default', '--max', 'default', '--class', 'spot', '--label', 'gpu', '--label', 'zone=a'],
  ]);
  assert.deepEqual([back.concurrency, back.maxInstances, back.labels], [1, null, ['gpu', 'zone=a']]);
});

test('a project says how its function scales, and options of deploy come on top', async (t) => {
  const isolated = await startIsolated(t);
  if (!isolated) return;
  const { platform } = isolated;
  const directory = temporaryDirectory(t);
  const write = (scaling: object | undefined) =>
    writeFile(join(directory, 'hearth.json'), JSON.stringify({ name: 'hello', url: false, scaling }));
  await writeFile(join(directory, 'index.js'), 'export const handler = async () => 1;');
  const deploy = async (...more: string[]) => (await platform.json<{ changed: string[] }>(['deploy', directory, ...more])).changed;
  const shown = () => platform.json<Readonly<Record<string, unknown>>>(['scale', 'hello']);
  const office = { cron: 'cron(0 8 ? * MON-FRI *)', for: '10h', instances: 5, timezone: 'Europe/Berlin' };

  await write({ concurrency: 4, max: 3, queueAge: '2s', class: 'spot', labels: ['gpu'], schedules: { office } });
  assert.deepEqual(await deploy(), ['created', 'scaling']);
  const first = await shown();
  assert.deepEqual(
    [first['concurrency'], first['maxInstances'], first['queueAgeMs'], first['class'], first['labels']],
    [4, 3, 2_000, 'spot', ['gpu']],
  );
  assert.deepEqual(await deploy(), []);
  assert.match((await platform.hearth(['get', 'hello'])).stdout, /scaling +max=3 concurrency=4 queue-age=2s class=spot gpu 1 schedule/);
  assert.deepEqual(await deploy('--max', '2'), ['scaling']);
  assert.equal((await shown())['maxInstances'], 2);

  await write({ min: 1 });
  assert.deepEqual(await deploy(), ['scaling']);
  const second = await shown();
  assert.deepEqual([second['concurrency'], second['minInstances'], second['maxInstances'], second['class']], [1, 1, null, 'standard']);
  assert.deepEqual(await platform.json(['warm', 'schedule', 'hello']), []);
  await write(undefined);
  assert.deepEqual(await deploy(), []);

  for (const scaling of [
    { concurrency: 0 },
    { min: 3, max: 2 },
    { class: 'best' },
    { speed: 9 },
    { schedules: { office: { ...office, for: 'long' } } },
  ]) {
    await write(scaling);
    assert.notEqual((await platform.hearth(['deploy', directory])).code, 0, JSON.stringify(scaling));
  }
  assert.equal((await shown())['minInstances'], 1);
});
