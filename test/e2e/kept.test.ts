/** Instances that are kept, and several invocations in one, in real sandboxes. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Deployment, Engine, EngineLog, KeptStats, Outcome } from '../../src/engine/mod.ts';
import { systemRandom } from '../../src/kernel/mod.ts';
import { eventually } from './platform.ts';
import { openEngine } from './real-engine.ts';
import type { Answer, Place } from './real-engine.ts';

const WHO = `let calls = 0;
export const handler = async ({ die }) => {
  if (die) process.exit(1);
  await new Promise((resolve) => setTimeout(resolve, 50));
  return { pid: process.pid, calls: ++calls };
};`;

const keptOf = ({ engine }: Place, { id }: Deployment): KeptStats => engine.statsOf(id)!.kept!;

test('provisioned instances are there before anybody calls, come back when they are lost, and follow the number without another init', async (t) => {
  const place = await openEngine(t);
  if (!place) return;
  const d = place.deployment(`console.log('init');\n${WHO}`, { provisioned: 4 });
  place.engine.rescale(d);
  await eventually(() => assert.equal(keptOf(place, d).available, 4));
  const answers = await Promise.all(Array.from({ length: 4 }, () => place.call(d)));
  assert.equal(new Set(answers.map(({ value }) => (value as { readonly pid: number }).pid)).size, 4);
  const [{ starts }] = place.engine.stats() as [ReturnType<Engine['stats']>[number]];
  assert.deepEqual({ warm: starts.warm, fork: starts.fork, boot: starts.boot }, { warm: 4, fork: 4, boot: 0 });

  assert.equal((await place.call(d, { die: true })).kind, 'functionError');
  await eventually(() => assert.equal(keptOf(place, d).available, 4));

  place.engine.rescale({ ...d, scaling: { provisioned: 6 } });
  await eventually(() => assert.equal(keptOf(place, d).available, 6));
  await Promise.all(Array.from({ length: 8 }, () => place.call(d)));
  const { provisionedInvocations, spilloverInvocations } = keptOf(place, d);
  assert.equal(provisionedInvocations + spilloverInvocations, 13);
  assert.equal(place.lines.filter(({ text }) => text.endsWith('init')).length, 1);
});

test('one whose init fails says so', async (t) => {
  const place = await openEngine(t);
  if (!place) return;
  const d = place.deployment(`throw new RangeError('no configuration');`, { provisioned: 2 });
  place.engine.rescale(d);
  await eventually(() => assert.equal(keptOf(place, d).failure?.reason, 'init failed: RangeError: no configuration'));
  assert.equal(keptOf(place, d).available, 0);
});

test('instances that each run init by themselves are available when they are through with it', async (t) => {
  const place = await openEngine(t);
  if (!place) return;
  const source = `import { createServer } from 'node:net';\nconst server = createServer().listen(0);\n${WHO}`;
  const d = place.deployment(source, { minInstances: 3, provisioned: 3 });
  place.engine.rescale(d);
  await eventually(() => assert.equal(keptOf(place, d).available, 3));
  const answers = await Promise.all(Array.from({ length: 3 }, () => place.call(d)));
  for (const { value } of answers) assert.equal((value as { readonly calls: number }).calls, 1);
});

/** Waits for as many as are to come, and says whom it has served. What it awaits in between would mix them up if it could. */
const TOGETHER = `import { AsyncLocalStorage } from 'node:async_hooks';
const own = new AsyncLocalStorage();
let here = 0, all = Promise.withResolvers();
export const handler = (event, context) => own.run(event.n, async () => {
  console.log('begun ' + own.getStore());
  if (++here === event.count) { all.resolve(); }
  await all.promise;
  await new Promise((resolve) => setTimeout(resolve, event.n % 7));
  console.log('ends ' + own.getStore());
  const leftMs = context.getRemainingTimeInMillis();
  if (--here === 0) all = Promise.withResolvers();
  if (event.throws) throw new Error('thrown by ' + own.getStore());
  return { pid: process.pid, n: own.getStore(), id: context.awsRequestId, timely: leftMs > 0 && leftMs <= 60_000 };
});`;

test('100 invocations at a time in one instance: each has its own answer, context, log and error', async (t) => {
  const place = await openEngine(t);
  if (!place) return;
  const COUNT = 100;
  const d = place.deployment(TOGETHER, { maxInstances: 1 }, { concurrency: COUNT });
  for (let round = 0; round < 3; round++) {
    const ids = Array.from({ length: COUNT }, () => systemRandom.uuid());
    const answers: readonly Answer[] = await Promise.all(ids.map((id, n) => place.call(d, { n, count: COUNT, throws: n % 10 === 3 }, id)));
    const pids = new Set<unknown>();
    for (const [n, answer] of answers.entries()) {
      if (n % 10 === 3) {
        assert.ok(answer.kind === 'functionError' && 'error' in answer, JSON.stringify(answer));
        assert.equal((answer as Extract<Outcome, { kind: 'functionError' }>).error.errorMessage, `thrown by ${n}`);
      } else {
        const { pid, ...said } = answer.value as Record<string, unknown>;
        pids.add(pid);
        assert.deepEqual(said, { n, id: ids[n], timely: true });
      }
      const own: readonly EngineLog[] = place.lines.filter(
        ({ requestId, text }) => requestId === ids[n] && /\t(?:begun|ends) \d+$/.test(text),
      );
      assert.deepEqual(
        own.map(({ text }) => text.split('\t').at(-1)),
        [`begun ${n}`, `ends ${n}`],
      );
      for (const { text } of own) assert.ok(text.includes(ids[n]!));
    }
    assert.equal(pids.size, 1);
  }
});

test('one of several at a time that is late is answered at its own deadline, and the others come to their ends', async (t) => {
  const place = await openEngine(t);
  if (!place) return;
  const source = `import { existsSync } from 'node:fs';
    export const handler = async ({ file }) => {
      while (file && !existsSync(file)) await new Promise((resolve) => setTimeout(resolve, 5));
      return process.pid;
    };`;
  const d = { ...place.deployment(source, { maxInstances: 1 }, { concurrency: 10 }), timeoutMs: 6_000 };
  const warm = await place.call(d);
  const late = place.call(d, { file: '/never' });
  // So much more time the others have.
  await new Promise((resolve) => setTimeout(resolve, 4_500));
  const others = Array.from({ length: 5 }, () => place.call(d, { file: '/var/task/go' }));
  const outcome = await late;
  assert.ok(outcome.kind === 'functionError');
  writeFileSync(join(d.spec.codeDirectory, 'go'), '');
  for (const { value } of await Promise.all(others)) assert.equal(value, warm.value);
  assert.notEqual((await place.call(d)).value, warm.value);
});
