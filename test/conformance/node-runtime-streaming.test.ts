import assert from 'node:assert/strict';
import { test } from 'node:test';
import { invoke as invokeOn, run } from './node-function.ts';

const streaming = (body: string) => ({
  'index.mjs': `export const handler = awslambda.streamifyResponse(async (event, out, context) => {${body}});`,
});

test('a streaming handler answers in pieces, with its content type', async (t) => {
  const { invoke, template } = await run(t, {
    files: streaming(
      `out.setContentType('text/plain'); out.write('one '); out.write(Buffer.from('two ')); out.write({ three: 3 }); out.end();`,
    ),
  });
  assert.equal(template.streaming, true);
  const answer = await invoke();
  assert.equal(answer.end, 'streamed');
  assert.deepEqual(answer.head, { contentType: 'text/plain' });
  assert.equal(answer.body.toString(), 'one two {"three":3}');
  assert.equal((await invoke()).body.toString(), 'one two {"three":3}');
});

test('status, headers and cookies go ahead of the body', async (t) => {
  const { invoke } = await run(t, {
    files: streaming(`
      out = awslambda.HttpResponseStream.from(out, { statusCode: 201, headers: { 'X-A': 'a', n: 1, gone: undefined }, cookies: ['c=1'] });
      if (!event.empty) out.write('body');
      out.end();`),
  });
  const answer = await invoke();
  assert.deepEqual(answer.head, {
    contentType: 'application/vnd.awslambda.http-integration-response',
    prelude: { statusCode: 201, headers: { 'X-A': 'a', n: '1' }, cookies: ['c=1'] },
  });
  assert.equal(answer.body.toString(), 'body');
  const empty = await invoke({ empty: true });
  assert.equal(empty.head?.prelude?.statusCode, 201);
  assert.equal(empty.body.length, 0);
});

test('large answers pass whole through pipelines, and a paused reader holds them back', async (t) => {
  const { instance } = await run(t, {
    files: streaming(`
      const { pipeline } = await import('node:stream/promises');
      const { Readable } = await import('node:stream');
      await pipeline(Readable.from((function* () { for (let i = 0; i < 40; i++) yield Buffer.alloc(500_000, i); })()), out);`),
  });
  const invoked = invokeOn(instance, {});
  let received = 0;
  await new Promise<void>((resolve) => {
    invoked.onChunk = () => {
      received = invoked.chunks.length;
      invoked.flow.pause();
      resolve();
    };
  });
  invoked.onChunk = () => {};
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.ok(invoked.chunks.length <= received + 3, 'what was under way may still arrive, no more');
  invoked.flow.resume();
  const { body, end } = await invoked.answer;
  assert.equal(end, 'streamed');
  assert.equal(body.length, 20_000_000);
  assert.equal(body.at(-1), 39);
});

test('an error before the first byte fails the invocation, one after it breaks the stream off', async (t) => {
  const { invoke } = await run(t, { files: streaming(`if (event.late) out.write('begun'); throw new Error('broken');`) });
  const early = await invoke();
  assert.equal(early.end, 'failed');
  assert.equal(early.error?.errorMessage, 'broken');
  const late = await invoke({ late: true });
  assert.equal(late.end, 'streamed');
  assert.equal(late.error?.errorMessage, 'broken');
  assert.equal(late.body.toString(), 'begun');
});

test('a stream that is never finished is an error', async (t) => {
  const { invoke } = await run(t, { files: streaming(`out.write('half');`) });
  const answer = await invoke();
  assert.equal(answer.end, 'streamed');
  assert.equal(answer.error?.errorMessage, 'Response stream is not finished.');
  assert.equal((await invoke()).error?.errorMessage, 'Response stream is not finished.');
});

test('a destroyed stream is an error, and writing after the end does not reach the next invocation', async (t) => {
  const { invoke } = await run(t, {
    files: streaming(`
      if (event.destroy) { out.write('x'); out.destroy(new Error('gone')); return; }
      out.end('whole'); setTimeout(() => out.write('stray'), 1);`),
  });
  assert.equal((await invoke({ destroy: true })).error?.errorMessage, 'gone');
  for (let i = 0; i < 3; i++) assert.equal((await invoke()).body.toString(), 'whole');
});

test('a streaming handler that is not async is an error', async (t) => {
  const { invoke } = await run(t, {
    files: { 'index.mjs': 'export const handler = awslambda.streamifyResponse((event, out) => { out.end("x"); });' },
  });
  assert.equal((await invoke()).error?.errorMessage, 'Streaming does not support non-async handlers.');
});

test('several streams at a time keep apart', async (t) => {
  const { invoke } = await run(t, {
    files: streaming(
      `for (let i = 0; i < 20; i++) { out.write(event.letter.repeat(50_000)); await new Promise(setImmediate); } out.end();`,
    ),
    concurrency: 4,
  });
  const answers = await Promise.all(['a', 'b', 'c'].map((letter) => invoke({ letter })));
  answers.forEach(({ body }, i) => assert.equal(body.toString(), 'abc'[i]!.repeat(1_000_000)));
});
