/** What an edge module still does when it has answered: `ctx.waitUntil`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { invoke as invokeOn, run } from './node-function.ts';

/**
 * `later`: called by `ctx.waitUntil` with the path of the request. It has `turns(n)`, which lets the event loop go round n times, so
 * that what comes before what doesn't hang on how fast the machine is.
 */
const edge = (
  t: TestContext,
  later: string,
  more: { readonly before?: string; readonly answer?: string; readonly concurrency?: number } = {},
) =>
  run(t, {
    files: {
      'index.mjs': `const turns = async (count) => { while (count-- > 0) await new Promise(setImmediate); };
      let done = 0;
      ${more.before ?? ''}
      const later = async (path, ctx) => { ${later} };
      export default { async fetch(request, env, { waitUntil, ...ctx }) {
        waitUntil(later(new URL(request.url).pathname, { waitUntil }));
        ${more.answer ?? 'return new Response(String(done));'}
      } };`,
    },
    handler: 'index',
    ...(more.concurrency !== undefined && { concurrency: more.concurrency }),
  });

const to = (path: string) => ({ rawPath: path, headers: {}, requestContext: { http: { method: 'GET' } } });
const bodyOf = ({ value }: { readonly value?: unknown }) => (value as { readonly body: string }).body;

test('the answer comes first, the end when the promise has settled, and the next request begins after it', async (t) => {
  const { instance } = await edge(t, `await turns(100); done++; console.log('done');`);
  const first = invokeOn(instance, to('/'));
  const answeredBeforeLog = new Promise<boolean>((resolve) => (first.onAnswer = () => resolve(first.logs.length === 0)));
  const second = invokeOn(instance, to('/'));
  assert.equal(await answeredBeforeLog, true);
  const [one, two] = await Promise.all([first.answer, second.answer]);
  assert.deepEqual([one.end, one.early, bodyOf(one)], ['over', 'answered', '0']);
  assert.match(one.logs.join('\n'), /\tdone$/);
  assert.equal(bodyOf(two), '1');
  assert.ok(one.memoryKiB > 1_000);
});

test('what has settled when the answer is there costs nothing', async (t) => {
  const { invoke } = await edge(t, `done++;`);
  const { end, early, value } = await invoke(to('/'));
  assert.deepEqual([end, early, bodyOf({ value })], ['answered', undefined, '1']);
});

test('a promise may bring others, of which one that is rejected is logged', async (t) => {
  const { invoke, instance } = await edge(
    t,
    `await turns(50); ctx.waitUntil(turns(100).then(() => { done++; throw new TypeError('lost'); })); ctx.waitUntil('no promise');`,
  );
  const { early, logs } = await invoke(to('/'));
  assert.equal(early, 'answered');
  assert.equal(logs.length, 1);
  assert.match(logs[0]!, /ERROR\twaitUntil Error \t\{"errorType":"TypeError","errorMessage":"lost"/);
  assert.equal(bodyOf(await invoke(to('/'))), '1');
  assert.ok(instance.alive);
});

test('an error and a stream are answers too', async (t) => {
  const { invoke } = await edge(t, `await turns(100); console.log('later');`, {
    answer: `if (request.url.endsWith('throws')) throw new Error('broken');
      return new Response(new ReadableStream({ async start(c) { await turns(3); c.enqueue(new Uint8Array(2)); c.close(); } }));`,
  });
  const thrown = await invoke(to('/throws'));
  assert.deepEqual([thrown.end, thrown.early, thrown.error?.errorMessage], ['over', 'failed', 'broken']);
  assert.match(thrown.logs.at(-1)!, /later$/);
  const streamed = await invoke(to('/stream'));
  assert.deepEqual([streamed.end, streamed.early, streamed.body.length], ['over', 'streamed', 2]);
  assert.match(streamed.logs.at(-1)!, /later$/);
});

test('a promise that nothing can settle is not waited for', async (t) => {
  const { invoke } = await edge(t, `await new Promise(() => {});`, {
    answer: `return request.url.endsWith('both') ? new Promise(() => {}) : new Response('x');`,
  });
  const { early, end, logs } = await invoke(to('/'));
  assert.deepEqual([end, early], ['over', 'answered']);
  assert.match(logs.join('\n'), /WARN\ta promise that waitUntil was given will never settle/);
  const both = await invoke(to('/both'));
  assert.deepEqual([both.end, both.early, both.error?.errorType], ['over', 'failed', 'Runtime.NodeJsExit']);
  assert.equal((await invoke(to('/'))).early, 'answered');
});

test('a process that ends after the answer is told of', async (t) => {
  const { invoke } = await edge(t, `await turns(100); process.exit(3);`);
  const { end, early, exit } = await invoke(to('/'));
  assert.deepEqual([end, early, exit], ['died', 'answered', { kind: 'exited', code: 3 }]);
});

test('waitUntil after the end says that nobody waits, and a rejection there ends nothing', async (t) => {
  const { invoke } = await edge(t, ``, {
    answer: `setTimeout(() => waitUntil(Promise.reject(new Error('too late'))), 1); return new Response('x');`,
  });
  const first = await invoke(to('/'));
  assert.equal(first.end, 'answered');
  let logs: readonly string[] = [];
  // What is left over goes on with one of the next.
  for (let n = 0; n < 50 && logs.length === 0; n++) {
    const next = await invoke(to('/'));
    assert.equal(next.end, 'answered');
    logs = next.logs;
  }
});

test('several at a time: each is over when its own promises have settled', async (t) => {
  const later = `if (path === '/release') release(); await (path === '/slow' ? released : turns(50)); console.log('after ' + path);`;
  const before = 'const { promise: released, resolve: release } = Promise.withResolvers();';
  const { instance } = await edge(t, later, { before, concurrency: 4 });
  const [slow, quick] = [invokeOn(instance, to('/slow')), invokeOn(instance, to('/quick'))];
  const order: string[] = [];
  const slowOver = slow.answer.then(() => order.push('slow'));
  const two = await quick.answer;
  order.push('quick');
  const release = await invokeOn(instance, to('/release')).answer;
  const one = await slow.answer;
  await slowOver;
  assert.deepEqual(order, ['quick', 'slow']);
  assert.deepEqual([one.early, two.early, release.early], ['answered', 'answered', 'answered']);
  assert.match(one.logs.join('\n'), /after \/slow$/);
  assert.match(two.logs.join('\n'), /after \/quick$/);
  assert.equal(one.logs.length + two.logs.length, 2);
});
