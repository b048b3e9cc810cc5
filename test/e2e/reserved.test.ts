/** Reserved concurrency through Lambda's own operations, with real invocations. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as sdk from '@aws-sdk/client-lambda';
import type { HostLoad } from '../../src/engine/mod.ts';
import { startPlatform } from './cli-platform.ts';
import { connect, eventually, startIsolated } from './platform.ts';
import type { Isolated } from './platform.ts';

/** Says when it ran. */
const SOURCE = `export const handler = async ({ ms = 0 }) => {
  const begun = Date.now();
  await new Promise((done) => setTimeout(done, ms));
  return { begun, ended: Date.now(), version: process.env.AWS_LAMBDA_FUNCTION_VERSION };
};`;

type Ran = { readonly begun: number; readonly ended: number; readonly version: string };

async function call({ client }: Isolated, FunctionName: string, Qualifier: string, ms: number): Promise<Ran> {
  const { Payload } = await client.send(new sdk.InvokeCommand({ FunctionName, Qualifier, Payload: JSON.stringify({ ms }) }));
  return JSON.parse(Payload!.transformToString()) as Ran;
}

/** The same on a connection of its own: the SDK has 50. */
async function callAside({ platform }: Isolated, name: string, ms: number): Promise<Ran> {
  const answer = await fetch(`${platform.url}/2015-03-31/functions/${encodeURIComponent(name)}/invocations`, {
    method: 'POST',
    body: JSON.stringify({ ms }),
  });
  assert.equal(answer.status, 200);
  return (await answer.json()) as Ran;
}

/** Longer than a test takes: these go on until the platform ends. */
const HOLD_MS = 280_000;
const held = (calls: readonly Promise<unknown>[]) => void Promise.allSettled(calls);

const reserve = ({ client }: Isolated, FunctionName: string, ReservedConcurrentExecutions: number) =>
  client.send(new sdk.PutFunctionConcurrencyCommand({ FunctionName, ReservedConcurrentExecutions }));

async function sharesOf({ platform }: Isolated): Promise<HostLoad['shares']> {
  const { host } = (await (await fetch(`${platform.url}/_hearth/stats`)).json()) as { readonly host: HostLoad };
  return host.shares;
}

/** How many ran at the same time at most. */
function mostAtOnce(runs: readonly Ran[]): number {
  const at = runs.map(({ begun }) => runs.filter((other) => other.begun <= begun && begun < other.ended).length);
  return Math.max(...at);
}

const isRefusedFor = (reason: string) => (error: unknown) => error instanceof sdk.TooManyRequestsException && error.Reason === reason;
const isReserved = isRefusedFor('ReservedFunctionConcurrentInvocationLimitExceeded');

test('a reservation holds for all versions of a function together, and a change of it at once', async (t) => {
  const isolated = await startIsolated(t);
  if (!isolated) return;
  const { client, platform } = isolated;
  await isolated.create('hello', SOURCE, { Timeout: 300 });
  await client.send(new sdk.PublishVersionCommand({ FunctionName: 'hello' }));
  await isolated.update('hello', `${SOURCE} // again`);
  await client.send(new sdk.PublishVersionCommand({ FunctionName: 'hello' }));
  await reserve(isolated, 'hello', 2);

  // Who is too many waits.
  const runs = await Promise.all(Array.from({ length: 12 }, (_, n) => call(isolated, 'hello', n % 2 ? '1' : '2', 100)));
  assert.ok(mostAtOnce(runs) <= 2);
  assert.deepEqual([...new Set(runs.map(({ version }) => version))].sort(), ['1', '2']);

  // Without a line, who is too many is refused: of any version, and whatever rests of it.
  await platform.json(['scale', 'hello', '--queue-depth', '0']);
  held([callAside(isolated, 'hello:1', HOLD_MS), callAside(isolated, 'hello:1', HOLD_MS)]);
  await eventually(async () => assert.deepEqual((await sharesOf(isolated)).reserved['hello'], { running: 2, limit: 2 }));
  for (const qualifier of ['1', '2', '$LATEST']) await assert.rejects(call(isolated, 'hello', qualifier, 0), isReserved);
  await reserve(isolated, 'hello', 3);
  assert.equal((await call(isolated, 'hello', '2', 0)).version, '2');
  await reserve(isolated, 'hello', 0);
  await assert.rejects(call(isolated, 'hello', '2', 0), isReserved);
  await assert.rejects(call(isolated, 'hello', '1', 0), isReserved);
  assert.deepEqual((await sharesOf(isolated)).reserved['hello'], { running: 2, limit: 0 });
  await client.send(new sdk.DeleteFunctionConcurrencyCommand({ FunctionName: 'hello' }));
  assert.equal((await call(isolated, 'hello', '1', 0)).version, '1');
  assert.deepEqual((await sharesOf(isolated)).reserved, {});
});

test('a function has what is reserved for it while the others take all the rest, also after a restart, until it is deleted', async (t) => {
  const first = await startIsolated(t);
  if (!first) return;
  for (const name of ['kept', 'flood']) await first.create(name, SOURCE, { Timeout: 300 });
  await first.platform.json(['scale', 'flood', '--concurrency', '100']);
  await first.platform.stop();
  const args = ['--concurrency', '102'];
  const second = connect(t, await startPlatform(t, args, first.platform.data));
  await reserve(second, 'kept', 2);
  await assert.rejects(reserve(second, 'flood', 1), /UnreservedConcurrentExecution below its minimum value of \[100\]/);
  const { AccountLimit } = await second.client.send(new sdk.GetAccountSettingsCommand({}));
  assert.deepEqual([AccountLimit!.ConcurrentExecutions, AccountLimit!.UnreservedConcurrentExecutions], [102, 100]);
  await second.platform.stop('SIGKILL');

  const isolated = connect(t, await startPlatform(t, args, first.platform.data));
  // One instance takes them all, once it is there.
  await call(isolated, 'flood', '$LATEST', 0);
  held(Array.from({ length: 100 }, () => callAside(isolated, 'flood', HOLD_MS)));
  await eventually(async () => assert.deepEqual((await sharesOf(isolated)).unreserved, { running: 100, limit: 100 }));
  await isolated.platform.json(['scale', 'flood', '--queue-depth', '0']);
  await assert.rejects(call(isolated, 'flood', '$LATEST', 0), isRefusedFor('ConcurrentInvocationLimitExceeded'));
  await Promise.all([call(isolated, 'kept', '$LATEST', 10), call(isolated, 'kept', '$LATEST', 10)]);
  assert.deepEqual((await sharesOf(isolated)).unreserved, { running: 100, limit: 100 });
  await isolated.remove('kept');
  await eventually(async () => assert.deepEqual(await sharesOf(isolated), { unreserved: { running: 100, limit: 102 }, reserved: {} }));
});
