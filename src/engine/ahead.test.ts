import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ENOUGH_PER_PROCESSOR } from '../policy/mod.ts';
import { bench, deployment, sim } from './engine.testing.ts';
import type { Bench, Call } from './engine.testing.ts';

const PROCESSORS = 2;
const AT_WORK = ENOUGH_PER_PROCESSOR * PROCESSORS;

/** Answers after `event.ms`, never at -1; dies after `event.dies`; fails at once with `event.fails`. */
const fast = sim((call) => {
  const { ms = 0.1, dies, fails } = call.input() as { ms?: number; dies?: number; fails?: boolean };
  if (dies !== undefined) call.after(dies, () => call.exit({ kind: 'exited', code: 1 }));
  else if (fails) call.fail({ errorType: 'Thrown', errorMessage: 'by the function' });
  else if (ms >= 0) call.after(ms, () => call.respond('done'));
});

/** All instances that the machine has room for are at work on short invocations, with a line behind them. */
async function crowdOf(first: object): Promise<{ readonly b: Bench; readonly calls: Call[] }> {
  const b = bench({ functions: { fast }, sandboxes: { handsAhead: true }, limits: { processors: PROCESSORS } });
  const d = deployment('fast', { timeoutMs: 5_000 });
  await Promise.all([b.engine.prepare(d), b.pass(20)]);
  // Without history each has an instance of its own; the second time there is one.
  for (let round = 0; round < 2; round++) {
    const early = Array.from({ length: AT_WORK }, () => b.call(d));
    await b.pass(20);
    assert.equal(answered(early), AT_WORK);
  }
  const calls = [b.call(d, first), ...Array.from({ length: 39 }, () => b.call(d))];
  return { b, calls };
}

const answered = (calls: readonly Call[]) => calls.filter((call) => call.outcomes.some(({ kind }) => kind === 'answered')).length;

test('in a crowd instances are handed invocations ahead, a few at a time, and all are answered once', async () => {
  const { b, calls } = await crowdOf({});
  const { forks } = b.sandboxes.counts;
  assert.equal(b.engine.stats()[0]!.queued, calls.length - AT_WORK);
  await b.pass(20);
  const { handedAhead } = b.sandboxes.counts;
  assert.ok(handedAhead > 20 && handedAhead < calls.length, `${handedAhead} were handed ahead`);
  assert.equal(answered(calls), calls.length);
  assert.ok(calls.every(({ outcomes }) => outcomes.length === 1));
  assert.equal(b.sandboxes.counts.forks, forks);
  assert.deepEqual(b.engine.stats()[0]!.starts, { warm: AT_WORK + calls.length, fork: AT_WORK, boot: 0, spawn: 0 });
});

for (const [what, event] of [
  ['never answers', { ms: -1 }],
  ['ends its process', { dies: 0.2 }],
  ['ends its process after a while', { dies: 3 }],
  ['fails', { fails: true }],
] as const) {
  test(`nobody is lost, or waits for long, behind one that ${what}`, async () => {
    const { b, calls } = await crowdOf({});
    const late = Array.from({ length: 12 }, (_, n) => b.call(deploymentOf(b), n === 4 ? event : {}));
    await b.pass(60);
    const others = [...calls, ...late.filter((_, n) => n !== 4)];
    assert.equal(answered(others), others.length);
    await b.pass(6_000);
    assert.ok([...calls, ...late].every(({ outcomes }) => outcomes.length === 1));
  });
}

test('what was handed ahead is refused when the node closes, and told so', async () => {
  const { b, calls } = await crowdOf({ ms: 50 });
  for (const call of calls.slice(1, AT_WORK)) assert.equal(call.outcomes.length, 0);
  const drained = b.engine.drain(0);
  await Promise.all([drained, b.pass(3_000)]);
  assert.ok(calls.every(({ outcomes }) => outcomes.length === 1));
  const kinds = new Set(calls.map(({ outcomes }) => outcomes[0]!.kind));
  assert.ok([...kinds].every((kind) => kind === 'answered' || kind === 'refused'));
  assert.deepEqual(b.engine.stats(), []);
});

/** The one that the crowd calls. */
const deploymentOf = (b: Bench) => {
  const { deploymentId } = b.engine.stats()[0]!;
  return { ...deployment('fast', { timeoutMs: 5_000 }), id: deploymentId };
};
