import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ENOUGH_PER_PROCESSOR } from '../policy/mod.ts';
import { bench, deployment, sim } from './engine.testing.ts';
import type { Bench, Call } from './engine.testing.ts';
import type { Deployment } from './mod.ts';

/** Answers after `event.ms`, never at -1; dies after `event.dies`. */
const fast = sim((call) => {
  const { ms = 0.1, dies } = call.input() as { ms?: number; dies?: number };
  if (dies !== undefined) call.after(dies, () => call.exit({ kind: 'exited', code: 1 }));
  else if (ms >= 0) call.after(ms, () => call.respond('done'));
});

/** What the simulated driver takes for a fork, and therefore what the engine learns of it. */
const FORK_MS = 3;
const PROCESSORS = 2;

const benchOf = (limits = {}): Bench => bench({ functions: { fast }, limits: { processors: PROCESSORS, ...limits } });

/** Gives the engine a history: one instance, and ten answers of `ms` each. */
async function known(b: Bench, d: Deployment, ms = 0.1): Promise<void> {
  const before = b.sandboxes.counts.forks;
  for (let n = 0; n < 10; n++) {
    b.call(d, { ms });
    await b.pass(n === 0 ? 20 + ms : 1 + ms);
  }
  assert.equal(b.sandboxes.counts.forks, before + 1);
}

function closedLoop(b: Bench, d: Deployment, callers: number): { answered: number } {
  const count = { answered: 0 };
  const ask = (): void => {
    b.call(
      d,
      {},
      {
        listener: {
          end: (outcome) => {
            assert.equal(outcome.kind, 'answered');
            count.answered++;
            b.clock.after(0.05, ask);
          },
        },
      },
    );
  };
  for (let n = 0; n < callers; n++) ask();
  return count;
}

const answers = (calls: readonly Call[]) => calls.filter((call) => call.outcomes.some(({ kind }) => kind === 'answered')).length;

test('64 callers of a fast function are served by few instances', async () => {
  const b = benchOf();
  const d = deployment('fast');
  await known(b, d);
  const count = closedLoop(b, d, 64);
  await b.pass(200);
  assert.ok(b.sandboxes.counts.forks <= ENOUGH_PER_PROCESSOR * PROCESSORS, `${b.sandboxes.counts.forks} forks`);
  assert.ok(count.answered > 64 * 10, `${count.answered} answers`);
});

test('a slow function has an instance for each caller, at once', async () => {
  const b = benchOf();
  const d = deployment('fast');
  await known(b, d, 100);
  const calls = Array.from({ length: 30 }, () => b.call(d, { ms: 100 }));
  assert.equal(b.sandboxes.counts.forks, 30);
  await b.pass(110);
  assert.equal(answers(calls), 30);
});

test('without history each of 500 that arrive together has an instance at once', async () => {
  const b = benchOf();
  const d = deployment('fast');
  await Promise.all([b.engine.prepare(d), b.pass(20)]);
  for (let n = 0; n < 500; n++) b.call(d);
  assert.equal(b.sandboxes.counts.forks, 500);
});

test('instances that a burst has left behind stay idle while fewer do as well', async () => {
  const b = benchOf({ keepAliveMs: 1_000 });
  const d = deployment('fast');
  await Promise.all([b.engine.prepare(d), b.pass(20)]);
  for (let n = 0; n < 64; n++) b.call(d);
  await b.pass(10);
  assert.equal(b.engine.stats()[0]!.idle, 64);
  closedLoop(b, d, 1);
  await b.pass(20);
  closedLoop(b, d, 63);
  let mostBusy = 0;
  for (let n = 0; n < 1_200; n++) {
    b.clock.advance(1);
    mostBusy = Math.max(mostBusy, b.engine.stats()[0]!.busy);
  }
  assert.ok(mostBusy <= ENOUGH_PER_PROCESSOR * PROCESSORS, `${mostBusy} at work`);
  const { idle, busy } = b.engine.stats()[0]!;
  assert.ok(idle + busy <= ENOUGH_PER_PROCESSOR * PROCESSORS, `${idle + busy} are left`);
});

test('a fast function that blocks from now on has more instances within a start, and one for each caller after a few', async () => {
  const b = benchOf();
  const d = deployment('fast');
  await known(b, d);
  for (let n = 0; n < 32; n++) b.call(d, { ms: 10_000 });
  await b.pass(FORK_MS + 1);
  const first = b.sandboxes.counts.forks;
  assert.ok(first >= ENOUGH_PER_PROCESSOR * PROCESSORS, `${first} forks`);
  // Each step doubles them, and what has only just been forked is given a start's time to answer.
  await b.pass(8 * FORK_MS);
  assert.equal(b.engine.stats()[0]!.queued, 0);
  assert.equal(b.sandboxes.counts.forks, 32);
});

test('who waits for an instance that hangs gets a fork when a start’s time is over', async () => {
  const b = benchOf();
  const d = deployment('fast');
  await known(b, d);
  b.call(d, { ms: -1 });
  const waiting = b.call(d);
  await b.pass(1);
  assert.equal(b.sandboxes.counts.forks, 1);
  await b.pass(FORK_MS);
  assert.equal(b.sandboxes.counts.forks, 2);
  await b.pass(FORK_MS + 1);
  assert.equal(waiting.outcome().kind, 'answered');
});

test('who waits for an instance that dies gets a fork at once', async () => {
  const b = benchOf();
  const d = deployment('fast');
  await known(b, d);
  b.call(d, { dies: 0.5 });
  const waiting = b.call(d);
  await b.pass(1);
  assert.equal(b.sandboxes.counts.forks, 2);
  await b.pass(FORK_MS);
  assert.equal(waiting.outcome().kind, 'answered');
});

test('who arrives first is served first, however they come by an instance', async () => {
  const b = benchOf();
  const d = deployment('fast', { maxInstances: 1 });
  const free = deployment('fast');
  for (const each of [d, free]) {
    await known(b, each, 2);
    const ids = Array.from({ length: 50 }, (_, n) => `${each.id}-${n}`);
    for (const requestId of ids) {
      b.call(each, { ms: 2 }, { requestId });
      if (requestId.endsWith('5')) await b.pass(1);
    }
    await b.pass(150);
    const started = b.lines.filter(({ text }) => text.startsWith('START ')).map(({ requestId }) => requestId!);
    assert.deepEqual(
      started.filter((id) => ids.includes(id)),
      ids,
    );
  }
  assert.ok(b.sandboxes.counts.forks > 2);
});

test('nobody is refused for the sake of patience: a full line forks', async () => {
  const b = benchOf({ queueDepth: 2 });
  const d = deployment('fast');
  await known(b, d);
  const calls = Array.from({ length: 20 }, () => b.call(d));
  assert.deepEqual([b.engine.stats()[0]!.queued, b.engine.stats()[0]!.throttles], [2, 0]);
  await b.pass(10);
  assert.equal(answers(calls), 20);
});

test('answers that have arrived already save a fork', async () => {
  const b = benchOf();
  const d = deployment('fast');
  await known(b, d, 2);
  b.call(d, { ms: 2 });
  // Two that arrive in the moment in which the instance is about to be free: the line would be too long for it, if it were not.
  const calls: Call[] = [];
  b.clock.after(2, () => calls.push(b.call(d, { ms: 2 }), b.call(d, { ms: 2 })));
  await b.pass(10);
  assert.equal(answers(calls), 2);
  assert.equal(b.sandboxes.counts.forks, 1);
});

test('patience ends with the deployment, and a drain serves those in line', async () => {
  const b = benchOf();
  const d = deployment('fast');
  await known(b, d);
  b.call(d, { ms: -1 });
  const waiting = b.call(d);
  const drained = b.engine.drain(100);
  await b.pass(150);
  await drained;
  assert.equal(waiting.outcome().kind, 'answered');
  assert.equal(b.sandboxes.counts.instances, 0);
});
