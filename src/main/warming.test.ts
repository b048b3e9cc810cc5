import assert from 'node:assert/strict';
import { setImmediate } from 'node:timers/promises';
import { test } from 'node:test';
import { SimStore } from '../adapters/simulated/mod.ts';
import type { FunctionChange, FunctionEntry, FunctionVersion } from '../control/mod.ts';
import type { Deployment, WarmingState } from '../engine/mod.ts';
import { manualClock, silentLog } from '../kernel/mod.ts';
import { keepWarming, loadWarming, openWarming } from './warming.ts';
import type { KeepWarmingOptions } from './warming.ts';

const entry = (name: string): FunctionEntry =>
  ({
    name,
    versions: new Map([['$LATEST', { code: { kind: 'ready' }, record: { version: '$LATEST', settings: {} } }]]),
  }) as unknown as FunctionEntry;

async function setUp(names: readonly string[] = [], store?: SimStore, lasting = true) {
  const clock = manualClock();
  const kept = store ?? (await SimStore.open());
  const learnt = { next: new Map<string, Uint8Array>() };
  const resumed: string[] = [];
  let tell: ((change: FunctionChange) => void) | undefined;
  const stop = keepWarming({
    store: lasting ? kept : undefined,
    clock,
    log: silentLog,
    engine: {
      takeWarmingChanges(): WarmingState {
        const functions = learnt.next;
        learnt.next = new Map();
        return { functions, ...(functions.size > 0 && { shared: Buffer.from('shared') }) };
      },
      forget: (name) => [`${name}:$LATEST`, `${name}:1`],
      resume: (deployment) => void resumed.push(deployment.id),
    },
    functions: {
      table: { byName: new Map(names.map((name) => [name, entry(name)])) },
      onChange(listener: typeof tell) {
        tell = listener;
        return () => (tell = undefined);
      },
    } as unknown as KeepWarmingOptions['functions'],
    deploymentOf: ({ name }: FunctionEntry, { record }: FunctionVersion) => ({ id: `${name}:${record.version}` }) as Deployment,
  });
  return {
    clock,
    store: kept,
    learnt,
    resumed,
    stop,
    deleted: (name: string) => tell!({ name, formerCode: [], formerImages: [] } as unknown as FunctionChange),
  };
}

const texts = ({ functions }: WarmingState) =>
  Object.fromEntries([...functions].map(([label, bytes]) => [label, Buffer.from(bytes).toString()]));

test('what is learnt is saved every minute and at the end, and loaded again', async () => {
  const { clock, store, learnt, stop } = await setUp();
  assert.deepEqual(await loadWarming(store), { functions: new Map() });
  learnt.next.set('a:$LATEST', Buffer.from([1, 2, 255]));
  clock.advance(60_000);
  await setImmediate();
  learnt.next.set('b:1', Buffer.from('b'));
  await stop();
  const state = await loadWarming(store);
  assert.deepEqual([...state.functions.get('a:$LATEST')!], [1, 2, 255]);
  assert.equal(texts(state)['b:1'], 'b');
  assert.equal(Buffer.from(state.shared!).toString(), 'shared');
});

test('a function that is gone is forgotten, whatever was learnt of it a moment before', async () => {
  const { store, learnt, stop, deleted } = await setUp();
  for (const label of ['a:$LATEST', 'ab:$LATEST']) learnt.next.set(label, Buffer.from('x'));
  await stop();
  const again = await setUp([], store);
  again.learnt.next.set('a:1', Buffer.from('x'));
  again.deleted('a');
  await again.stop();
  void deleted;
  assert.deepEqual(
    [...(await loadWarming(store)).functions.keys()].filter((label) => label !== 'a:1'),
    ['ab:$LATEST'],
  );
});

test('each version that there is may be expected', async () => {
  const { resumed, stop } = await setUp(['a', 'b']);
  assert.deepEqual(resumed, ['a:$LATEST', 'b:$LATEST']);
  await stop();
});

test('more functions than a page are loaded, and a store that refuses is borne', async () => {
  const { store, learnt, stop } = await setUp();
  for (let i = 0; i < 1_201; i++) learnt.next.set(`f${i}:$LATEST`, Buffer.from(String(i)));
  await stop();
  assert.equal((await loadWarming(store)).functions.size, 1_201);
  const refusing = await SimStore.open({ fault: () => 'before' });
  const other = await setUp([], refusing);
  other.learnt.next.set('a:$LATEST', Buffer.from('x'));
  await other.stop();
  assert.equal((await loadWarming(refusing)).functions.size, 0);
});

test('where time goes faster nothing is saved that is learnt, and a function that is gone is forgotten all the same', async () => {
  const { clock, store, learnt, stop, deleted } = await setUp(['hello'], undefined, false);
  learnt.next = new Map([['hello:$LATEST', Buffer.from('state')]]);
  clock.advance(60_000);
  deleted('hello');
  await stop();
  assert.deepEqual(await store.list('warming/', { limit: 10 }), []);
});

test('what a simulator needs to know is told: the policy, its options, its speed, and what it has learnt', () => {
  const { policy, speed, report } = openWarming({ policy: 'hazard', options: { priceMiBSeconds: 5 }, speed: 60 });
  assert.equal(speed, 60);
  const { shared, ...told } = report(policy.save());
  assert.deepEqual(told, { policy: 'hazard', speed: 60, keepMs: 600_000, priceMiBSeconds: 5 });
  assert.ok(policy.load(Buffer.from(shared, 'base64')));
  assert.equal(report(undefined).shared, '');
});
