/** What is learnt of a function outlives the platform: it is there again before anybody calls it, and forgotten with its function. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { temporaryDirectory } from '../temporary.ts';
import { eventually, startIsolated } from './platform.ts';

type Stats = {
  readonly deployments: readonly {
    readonly functionName: string;
    readonly idle: number;
    readonly invocations: number;
    readonly causes: Readonly<Record<string, Readonly<Record<string, number>>>>;
  }[];
};

type Explained = {
  readonly versions: readonly {
    readonly policy: {
      readonly name: string;
      readonly held: string;
      readonly calls: number;
      readonly instanceMiB: number;
      readonly templateMiB: number | null;
    } | null;
  }[];
};

const statsOf = async (url: string): Promise<Stats> => (await (await fetch(`${url}/_hearth/stats`)).json()) as Stats;

test('a function that was called is there after a restart, before its first call; one that is gone is not', async (t) => {
  const data = temporaryDirectory(t);
  const first = await startIsolated(t, data);
  if (!first) return;
  const source = 'export const handler = async () => "here";';
  for (const name of ['called', 'deleted']) {
    await first.create(name, source);
    assert.equal((await first.invoke(name)).value, 'here');
  }
  await first.create('quiet', source);
  await first.remove('deleted');
  assert.equal(await first.platform.stop(), 0);

  const second = (await startIsolated(t, data))!;
  await eventually(async () => {
    const { deployments } = await statsOf(second.platform.url);
    assert.deepEqual(
      deployments.map(({ functionName, idle, invocations }) => ({ functionName, idle, invocations })),
      [{ functionName: 'called', idle: 1, invocations: 0 }],
    );
    assert.deepEqual(deployments[0]!.causes['fork'], { expected: 1 });
  });
  assert.equal((await second.invoke('called')).value, 'here');
  assert.deepEqual((await statsOf(second.platform.url)).deployments[0]!.causes['warm'], { idle: 1 });
  const { versions } = await second.platform.json<Explained>(['warm', 'explain', 'called']);
  const { name, held, calls, instanceMiB, templateMiB } = versions[0]!.policy!;
  assert.deepEqual([name, held, calls], ['hazard', 'instance', 2]);
  assert.ok(instanceMiB > 0 && templateMiB! > 0);
  const told = (await second.platform.hearth(['warm', 'explain', 'called'])).stdout;
  assert.match(told, /policy +hazard: .*\n +next call +.*\n +costs +an instance takes [\d.]+ MiB.*\n +held now +instance/);
  assert.match((await second.platform.hearth(['warm', 'explain', 'quiet'])).stdout, /never called/);
  assert.equal(await second.platform.stop(), 0);
});
