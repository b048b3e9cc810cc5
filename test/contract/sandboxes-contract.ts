import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { closeAfter, closeAfterAll } from '../closing.ts';
import { SANDBOX_STEPS } from '../../src/adapters/link/mod.ts';
import type { Instance, Step } from '../../src/ports/mod.ts';
import { boot, call, template, value } from './sandboxes-calls.ts';
import type { Place } from './sandboxes-calls.ts';

export type OpenPlace = Place & { close(): Promise<void> };

export type Capabilities = {
  /** The kinds of start that its instances have. */
  readonly starts: readonly Instance['start'][];
  /** The steps of a boot, once there is a sandbox, and of an instance that is forked when it is asked for. */
  readonly steps: readonly [boot: readonly string[], fork: readonly string[]];
  /** Functions are processes: they can spin, exhaust their memory, be killed by a signal and have children. */
  readonly processes: boolean;
  /** Their code is user code in files. */
  readonly files: boolean;
};

/** What hangs fails. */
const LONGEST_MS = 300_000;

/**
 * What every implementation of the Sandboxes port promises. `open` makes one, with the functions of test/fixtures/functions below its
 * directory, or says why it cannot be had here.
 */
export function sandboxesContract(name: string, open: () => Promise<OpenPlace | string>, capabilities: Capabilities): void {
  let opened: Promise<OpenPlace | string> | undefined;
  const closeAtEnd = closeAfterAll();
  closeAtEnd(async () => {
    const place = await opened;
    if (typeof place === 'object') await place.close();
  });

  const promises = (
    sentence: string,
    needs: keyof Omit<Capabilities, 'starts' | 'steps'> | undefined,
    run: (place: Place, t: TestContext) => Promise<void>,
  ) =>
    void test(`${name}: ${sentence}`, { timeout: LONGEST_MS }, async (t) => {
      if (needs !== undefined && !capabilities[needs]) return t.skip(`has no ${needs}`);
      const place = await (opened ??= open());
      if (typeof place === 'string') return t.skip(place);
      return run(place, t);
    });

  promises('a booted function makes an instance that may be given its first invocation at once', undefined, async (place) => {
    const made = await template(place, 'echo');
    assert.ok(made.initMs >= 0 && !made.streaming);
    assert.deepEqual(made.blockers, []);
    const instance = made.fork();
    assert.ok(instance.alive && capabilities.starts.includes(instance.start), instance.start);
    const answer = await call(instance, { text: 'Grüße \u0000 😀' }, { id: 'the-id', arn: 'the-arn' }).answer;
    assert.deepEqual(answer.value, { event: { text: 'Grüße \u0000 😀' }, requestId: 'the-id', arn: 'the-arn' });
    assert.ok(answer.memoryKiB! > 1_000 && answer.memoryKiB! < 10_000_000, String(answer.memoryKiB));
    instance.kill();
    made.close();
  });

  promises('a template and an instance tell how they came to be, step by step in order, once', undefined, async (place) => {
    const before = performance.now();
    const made = await template(place, 'echo');
    const booted = performance.now();
    inOrder(made.steps, before, booted);
    const instance = made.fork();
    await value(instance);
    inOrder(instance.takeSteps(), before, performance.now());
    assert.deepEqual(instance.takeSteps(), []);
    await value(instance);
    assert.deepEqual(instance.takeSteps(), []);
    const [booting, forking] = capabilities.steps;
    // Whether a sandbox was there already depends on who came before.
    const ofSandbox = new Set(['sandbox taken', 'sandbox ordered', ...SANDBOX_STEPS]);
    assert.deepEqual(
      named(made.steps).filter((name) => !ofSandbox.has(name)),
      booting,
    );
    const another = made.fork();
    await value(another);
    const steps = another.takeSteps();
    inOrder(steps, booted, performance.now());
    // A process that is ready says so, and goes on before the host has heard it.
    assert.deepEqual(named(steps).toSorted(), forking.toSorted());
    for (const each of [instance, another]) each.kill();
    made.close();
  });

  promises('an instance keeps its state from one invocation to the next, and shares it with no other', undefined, async (place) => {
    const made = await template(place, 'counter');
    const [first, second] = [made.fork(), made.fork()];
    assert.deepEqual([await value(first), await value(first), await value(second), await value(first)], [1, 2, 1, 3]);
    const third = made.fork();
    assert.equal(await value(third), 1);
    for (const instance of [first, second, third]) instance.kill();
    made.close();
  });

  promises('an event and an answer of several MiB pass unharmed', undefined, async (place) => {
    const made = await template(place, 'echo');
    const instance = made.fork();
    const text = 'ü€😀'.repeat(400_000);
    const answer = (await value(instance, { text })) as { readonly event: { readonly text: string } };
    assert.ok(answer.event.text === text);
    instance.kill();
    made.close();
  });

  promises('a thrown error is told, and the instance goes on', undefined, async (place) => {
    const made = await template(place, 'throws');
    const instance = made.fork();
    for (let round = 0; round < 2; round++) {
      const answer = await call(instance).answer;
      assert.equal(answer.kind, 'failed');
      assert.equal(answer.error!.errorType, 'TypeError');
      assert.equal(answer.error!.errorMessage, 'thrown on purpose');
      assert.match(answer.error!.stackTrace!.join('\n'), /^TypeError: thrown on purpose/);
    }
    assert.equal((await call(instance, { reject: 'a text' }).answer).error!.errorMessage, 'a text');
    assert.ok(instance.alive);
    instance.kill();
    made.close();
  });

  promises('an exit ends the invocation and the instance, and no other', undefined, async (place) => {
    const made = await template(place, 'exits');
    const [first, second] = [made.fork(), made.fork()];
    const answer = await call(first, { code: 3 }).answer;
    assert.deepEqual([answer.kind, answer.exit], ['died', { kind: 'exited', code: 3 }]);
    assert.deepEqual(await first.closed, { kind: 'exited', code: 3 });
    assert.ok(!first.alive && second.alive);
    assert.deepEqual((await call(second, { code: 0 }).answer).exit, { kind: 'exited', code: 0 });
    const third = made.fork();
    assert.deepEqual((await call(third, { code: 4 }).answer).exit, { kind: 'exited', code: 4 });
    made.close();
  });

  promises('an invocation given to an instance that is gone ends as died', undefined, async (place) => {
    const made = await template(place, 'exits');
    const instance = made.fork();
    await call(instance, { code: 1 }).answer;
    assert.equal((await call(instance, { code: 1 }).answer).kind, 'died');
    made.close();
  });

  promises('kill ends an instance with what it runs, at any time and any number of times', undefined, async (place) => {
    const made = await template(place, 'never');
    const unborn = made.fork();
    const [early] = [call(unborn)];
    unborn.kill();
    unborn.kill();
    assert.ok(!unborn.alive);
    assert.deepEqual((await early.answer).exit, { kind: 'ended' });
    assert.deepEqual(await unborn.closed, { kind: 'ended' });
    unborn.kill();
    const idle = made.fork();
    idle.kill();
    assert.deepEqual(await idle.closed, { kind: 'ended' });
    made.close();
  });

  promises('console output comes with its level, in order and before the end', undefined, async (place) => {
    const booted = await boot(place, 'logs');
    assert.ok(booted.ok);
    assert.match(booted.lines.all.map((line) => line.text).join('\n'), /during init$/);
    const instance = booted.template.fork();
    const { lines } = await call(instance, {}, { id: 'the-id' }).answer;
    assert.deepEqual(
      lines.map((line) => line.level),
      ['INFO', 'WARN', 'ERROR', 'INFO'],
    );
    for (const [index, end] of ['plain 1', 'warned', 'two\nlines', 'raw'].entries())
      assert.ok(lines[index]!.text.endsWith(end), lines[index]!.text);
    instance.kill();
    booted.template.close();
  });

  promises('a streamed answer comes as head, chunks and end', undefined, async (place) => {
    const made = await template(place, 'streams');
    assert.ok(made.streaming);
    const instance = made.fork();
    const answer = await call(instance, { chunks: 3 }).answer;
    assert.equal(answer.kind, 'streamed');
    assert.equal(answer.error, undefined);
    assert.equal(answer.heads[0]!.prelude!.statusCode, 201);
    assert.equal(answer.heads[0]!.prelude!.headers!['x-made-by'], 'streams');
    assert.equal(answer.body.toString(), '1;2;3;');
    const broken = await call(instance, { chunks: 3, breaks: 2 }).answer;
    assert.equal(broken.kind, 'streamed');
    assert.deepEqual([broken.error!.errorType, broken.error!.errorMessage], ['RangeError', 'broken off']);
    assert.equal(broken.body.toString().slice(0, 2), '1;');
    instance.kill();
    made.close();
  });

  promises('a stream that is held back stands still, and goes on whole', undefined, async (place) => {
    const made = await template(place, 'streams');
    const instance = made.fork();
    const [chunks, bytes] = [400, 64 * 1024];
    const held = call(instance, { chunks, bytes });
    held.flow.pause();
    // Another instance's whole answer passes meanwhile.
    const other = made.fork();
    assert.equal((await call(other, { chunks, bytes }).answer).body.length, chunks * bytes);
    assert.ok(held.chunks < chunks / 2, `${held.chunks} chunks came while held back`);
    held.flow.resume();
    assert.equal((await held.answer).body.length, chunks * bytes);
    for (const each of [instance, other]) each.kill();
    made.close();
  });

  promises('an invocation may go on after its answer, and runs until it is over', undefined, async (place) => {
    const made = await template(place, 'goes-on');
    const instance = made.fork();
    const { kind, early, lines } = await call(instance, { headers: {}, requestContext: { http: { method: 'GET' } } }).answer;
    assert.deepEqual([kind, early?.kind, early?.lines], ['over', 'answered', 0]);
    assert.equal((early!.value as { readonly body: string }).body, '"early"');
    assert.ok(lines.length === 1 && lines[0]!.text.endsWith('after the answer'), JSON.stringify(lines));
    instance.kill();
    made.close();
  });

  promises('an instance runs as many at a time as its spec says', undefined, async (place) => {
    const made = await template(place, 'together', { concurrency: 3 });
    const instance = made.fork();
    const answers = await Promise.all([1, 2, 3].map(() => value(instance, { count: 3 })));
    assert.deepEqual(answers, [3, 3, 3]);
    instance.kill();
    made.close();
  });

  promises('what cannot survive a fork is named, and each instance then has an init of its own', undefined, async (place) => {
    const made = await template(place, 'open-socket');
    assert.ok(made.blockers.length > 0);
    const instances = [made.fork(), made.fork(), made.fork()];
    for (const instance of instances) {
      assert.ok(instance.start === 'boot' || instance.start === 'spawn');
      assert.equal(await value(instance), 'own server');
    }
    for (const instance of instances) instance.kill();
    made.close();
  });

  promises('init that fails, exits or takes too long is a result', undefined, async (place) => {
    const failed = await boot(place, 'init-error');
    assert.ok(!failed.ok && failed.failure.kind === 'failed');
    assert.deepEqual([failed.failure.error.errorType, failed.failure.error.errorMessage], ['RangeError', 'no configuration']);
    assert.match(failed.lines.all[0]!.text, /about to fail$/);
    const exited = await boot(place, 'init-exit');
    assert.ok(!exited.ok && exited.failure.kind === 'exited', JSON.stringify(exited));
    assert.deepEqual(exited.failure.exit, { kind: 'exited', code: 7 });
    const late = await boot(place, 'init-slow', { initTimeoutMs: 500 });
    assert.ok(!late.ok && late.failure.kind === 'timedOut', JSON.stringify(late));
  });

  promises('an init that spins is ended at its limit', 'processes', async (place) => {
    const spins = await boot(place, 'init-spins', { initTimeoutMs: 500 });
    assert.ok(!spins.ok && spins.failure.kind === 'timedOut', JSON.stringify(spins));
  });

  promises('code that cannot be loaded is told as Lambda tells it', 'files', async (place) => {
    for (const [fixture, type] of [
      ['syntax-error', 'Runtime.UserCodeSyntaxError'],
      ['missing-module', 'Runtime.ImportModuleError'],
      ['missing-handler', 'Runtime.HandlerNotFound'],
    ] as const) {
      const result = await boot(place, fixture);
      assert.ok(!result.ok && result.failure.kind === 'failed', JSON.stringify(result));
      assert.equal(result.failure.error.errorType, type);
    }
  });

  promises('TypeScript source runs as it is', 'files', async (place) => {
    const made = await template(place, 'typescript');
    const instance = made.fork();
    assert.equal(await value(instance, { name: 'Ada' }), 'Hello, Ada!');
    instance.kill();
    made.close();
  });

  promises('CommonJS answers by callback, once nothing is left to do', 'files', async (place) => {
    const made = await template(place, 'commonjs');
    const instance = made.fork();
    assert.deepEqual(await value(instance, { a: 20, b: 22 }), { sum: 42 });
    assert.deepEqual(await value(instance, { a: 1, b: 2 }), { sum: 3 });
    instance.kill();
    made.close();
  });

  promises('a function has its environment, and nothing of the platform’s', 'files', async (place, t) => {
    process.env['HEARTH_CONTRACT_SECRET'] = 'of the platform';
    closeAfter(t, () => delete process.env['HEARTH_CONTRACT_SECRET']);
    const made = await template(place, 'environment', { environment: { GREETING: 'hello', EMPTY: '' } });
    const instance = made.fork();
    const names = ['GREETING', 'EMPTY', 'HEARTH_CONTRACT_SECRET'];
    assert.deepEqual(await value(instance, { names }), { GREETING: 'hello', EMPTY: '' });
    instance.kill();
    made.close();
  });

  promises('a signal and a rejection that nobody handles end the instance', 'processes', async (place) => {
    const exits = await template(place, 'exits');
    const killed = await call(exits.fork(), { signal: 'SIGKILL' }).answer;
    assert.deepEqual([killed.kind, killed.exit], ['died', { kind: 'signalled', signal: 'SIGKILL' }]);
    exits.close();
    const rejects = await template(place, 'rejects-later');
    const instance = rejects.fork();
    const rejected = await call(instance).answer;
    assert.equal(rejected.error?.errorType, 'Runtime.UnhandledPromiseRejection', JSON.stringify(rejected));
    await instance.closed;
    assert.ok(!instance.alive);
    rejects.close();
  });

  promises('an instance that spins can be killed, and its sibling answers meanwhile', 'processes', async (place) => {
    const made = await template(place, 'spins');
    const neighbour = (await template(place, 'echo')).fork();
    const instance = made.fork();
    const spinning = call(instance);
    await spinning.lines.logged('spinning');
    assert.deepEqual(((await value(neighbour, { n: 1 })) as { readonly event: unknown }).event, { n: 1 });
    instance.kill();
    assert.deepEqual((await spinning.answer).exit, { kind: 'ended' });
    neighbour.kill();
    made.close();
  });

  promises('an instance that takes all the memory it can is ended by its limit', 'processes', async (place) => {
    const made = await template(place, 'memory-hog');
    const instance = made.fork();
    const answer = await call(instance).answer;
    assert.deepEqual([answer.kind, answer.exit], ['died', { kind: 'outOfMemory' }]);
    made.close();
  });

  promises('child processes run, and their output is heard', 'processes', async (place) => {
    const booted = await boot(place, 'child-output');
    assert.ok(booted.ok);
    const instance = booted.template.fork();
    const running = call(instance);
    // Siblings may share their output: then it is that of the boot's listener.
    await Promise.race([running.lines.logged('from a child'), booted.lines.logged('from a child')]);
    const answer = await running.answer;
    assert.deepEqual(answer.value, { code: 0, told: '42' }, JSON.stringify(answer));
    instance.kill();
    booted.template.close();
  });

  promises('a closed template may leave its instances alive, and is gone with the last of them', undefined, async (place) => {
    const made = await template(place, 'echo');
    const instance = made.fork();
    await call(instance).answer;
    made.close();
    made.close();
    assert.equal((await call(instance).answer).kind, instance.alive ? 'answered' : 'died');
    instance.kill();
    assert.deepEqual(await made.closed, { kind: 'ended' });
    const unused = await template(place, 'echo');
    unused.close();
    assert.deepEqual(await unused.closed, { kind: 'ended' });
  });

  promises('close ends every template, instance and invocation, and what follows is refused', undefined, async () => {
    const place = await open();
    assert.ok(typeof place === 'object');
    const made = await template(place, 'never');
    const instance = made.fork();
    const running = call(instance);
    await Promise.all([place.sandboxes.close(), place.sandboxes.close()]);
    assert.equal((await running.answer).kind, 'died');
    await Promise.all([instance.closed, made.closed]);
    assert.ok(!instance.alive);
    await assert.rejects(boot(place, 'echo'), { name: 'HearthError' });
    await place.close();
  });
}

const named = (steps: readonly Step[]): string[] => steps.map(({ name }) => name);

function inOrder(steps: readonly Step[], sinceMs: number, untilMs: number): void {
  assert.ok(steps.length > 0);
  let last = sinceMs;
  for (const { name, atMs } of steps) {
    assert.ok(atMs >= last && atMs <= untilMs, `${name} at ${atMs}, after ${last} and before ${untilMs}`);
    last = atMs;
  }
}
