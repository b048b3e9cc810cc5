import assert from 'node:assert/strict';
import { test } from 'node:test';
import { run } from './node-function.ts';

const cjs = (body: string) => ({ 'index.js': body });

test('an async handler answers with what it returns', async (t) => {
  const { invoke, template } = await run(t, { files: { 'index.mjs': 'export const handler = async (event) => ({ got: event.name });' } });
  assert.equal(template.streaming, false);
  assert.deepEqual(template.blockers, []);
  const first = await invoke({ name: 'Ada' });
  assert.deepEqual(first.value, { got: 'Ada' });
  assert.ok(first.memoryKiB > 10_000);
  assert.deepEqual((await invoke({ name: 'Grace' })).value, { got: 'Grace' });
});

test('undefined, functions and symbols answer null', async (t) => {
  const { invoke } = await run(t, { files: cjs('exports.handler = async (e) => [undefined, () => {}, Symbol("x")][e.n];') });
  for (const n of [0, 1, 2]) assert.equal((await invoke({ n })).value, null);
});

test('a callback answers once the event loop is empty', async (t) => {
  const { invoke } = await run(t, {
    files: cjs(`
      exports.handler = (event, context, callback) => {
        const order = [];
        setTimeout(() => order.push('late'), 30);
        callback(null, order);
      };`),
  });
  assert.deepEqual((await invoke()).value, ['late']);
  assert.deepEqual((await invoke()).value, ['late']);
});

test('a callback answers at once when the handler does not wait for the event loop, and what is left goes on with the next invocation', async (t) => {
  const { invoke } = await run(t, {
    files: cjs(`
      let later = 0;
      exports.handler = (event, context, callback) => {
        context.callbackWaitsForEmptyEventLoop = false;
        if (event.start) { setTimeout(() => later++, 1); return callback(null, 'started'); }
        setTimeout(() => callback(null, later), 20);
      };`),
  });
  assert.equal((await invoke({ start: true })).value, 'started');
  assert.equal((await invoke()).value, 1);
});

test('a callback with an error fails the invocation, and only its first call counts', async (t) => {
  const { invoke } = await run(t, {
    files: cjs(`exports.handler = (event, context, callback) => { callback(new TypeError('no')); callback(null, 'yes'); };`),
  });
  const answer = await invoke();
  assert.equal(answer.error?.errorType, 'TypeError');
  assert.equal((await invoke()).error?.errorMessage, 'no');
});

test('context.succeed, fail and done end an invocation', async (t) => {
  const { invoke } = await run(t, {
    files: cjs(`exports.handler = (event, context) => { context[event.how](...event.with); };`),
  });
  assert.equal((await invoke({ how: 'succeed', with: [1] })).value, 1);
  assert.equal((await invoke({ how: 'done', with: [null, 2] })).value, 2);
  assert.deepEqual((await invoke({ how: 'done', with: ['bad'] })).error, { errorType: 'string', errorMessage: 'bad', stackTrace: [] });
  assert.equal((await invoke({ how: 'fail', with: [] })).error?.errorMessage, 'handled');
});

test('a handler that is not async answers with what it returns from Node 24 on, and null before', async (t) => {
  const files = cjs('exports.handler = (event) => ({ plain: event.n });');
  assert.deepEqual((await (await run(t, { files })).invoke({ n: 1 })).value, { plain: 1 });
  const before = await run(t, { files, environment: { AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs20.x' } });
  assert.equal((await before.invoke({ n: 1 })).value, null);
});

test('the context object is complete', async (t) => {
  const { invoke } = await run(t, {
    files: cjs(`
      exports.handler = async (event, context) => ({
        ...context,
        remaining: context.getRemainingTimeInMillis(),
        functions: Object.keys(context).filter((key) => typeof context[key] === 'function'),
        trace: process.env._X_AMZN_TRACE_ID ?? null,
      });`),
    environment: {
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '128',
      AWS_LAMBDA_LOG_GROUP_NAME: '/aws/lambda/test',
      AWS_LAMBDA_LOG_STREAM_NAME: 'stream',
    },
  });
  const head = { id: 'the-id', clientContext: '{"custom":{"a":1}}', identity: '{"cognitoIdentityId":"x"}', trace: 'Root=1-2-3' };
  const { remaining, ...value } = (await invoke({}, head)).value as { remaining: number };
  assert.ok(remaining > 0 && remaining <= 60_000);
  assert.deepEqual(value, {
    callbackWaitsForEmptyEventLoop: true,
    functionVersion: '$LATEST',
    functionName: 'test',
    memoryLimitInMB: '128',
    logGroupName: '/aws/lambda/test',
    logStreamName: 'stream',
    clientContext: { custom: { a: 1 } },
    identity: { cognitoIdentityId: 'x' },
    invokedFunctionArn: 'arn:aws:lambda:us-east-1:000000000000:function:test',
    awsRequestId: 'the-id',
    functions: ['succeed', 'fail', 'done', 'getRemainingTimeInMillis'],
    trace: 'Root=1-2-3',
  });
  assert.equal(((await invoke()).value as { trace: unknown }).trace, null);
});

test('output goes to the log of its invocation with time, request id and level', async (t) => {
  const { invoke, outside } = await run(t, {
    files: cjs(`
      console.log('from init');
      exports.handler = async (event, context) => {
        console.debug('d %s', 1); console.info('i'); console.warn('w', { a: 1 }); console.error(new Error('e').message); console.trace('t'); console.fatal('f');
        console.log('two\\nlines');
        process.stdout.write('raw '); process.stdout.write('line\\nand '); process.stderr.write('err\\n');
        console.table([{ a: 1 }]);
        return process.stdout.fd;
      };`),
  });
  const { logs, value } = await invoke({}, { id: 'req-1' });
  assert.equal(value, 1);
  assert.match(outside[0]!, /^\d{4}-\d\d-\d\dT[\d:.]+Z\tundefined\tINFO\tfrom init$/);
  const plain = logs.map((line) => line.replace(/^\d{4}-\d\d-\d\dT[\d:.]+Z/, 'TIME'));
  assert.deepEqual(plain.slice(0, 9), [
    'TIME\treq-1\tDEBUG\td 1',
    'TIME\treq-1\tINFO\ti',
    'TIME\treq-1\tWARN\tw { a: 1 }',
    'TIME\treq-1\tERROR\te',
    'TIME\treq-1\tTRACE\tt',
    'TIME\treq-1\tFATAL\tf',
    'TIME\treq-1\tINFO\ttwo\nlines',
    'raw line',
    'err',
  ]);
  assert.match(plain[9]!, /\(index\)/);
  assert.equal(plain[10], 'and ');
});

test('the log format and level are those that the environment asks for', async (t) => {
  const { invoke } = await run(t, {
    files: cjs(`
      exports.handler = async () => {
        console.info('hidden'); console.warn({ a: 1 }); console.error('x %d', 1, new TypeError('boom')); const c = {}; c.c = c; console.error(c);
      };`),
    environment: { AWS_LAMBDA_LOG_FORMAT: 'JSON', AWS_LAMBDA_LOG_LEVEL: 'warn' },
  });
  const { logs } = await invoke({}, { id: 'req-2' });
  const lines = logs.map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.deepEqual(
    lines.map(({ level, requestId }) => [level, requestId]),
    [
      ['WARN', 'req-2'],
      ['ERROR', 'req-2'],
      ['ERROR', 'req-2'],
    ],
  );
  assert.deepEqual(lines[0]!['message'], { a: 1 });
  assert.equal(lines[1]!['errorType'], 'TypeError');
  assert.match(String(lines[2]!['message']), /Circular/);
});

test('a line as long as allowed passes whole, a longer one is cut and says so', async (t) => {
  const { invoke } = await run(t, { files: cjs(`exports.handler = async ({ length }) => { console.log('é'.repeat(length)); };`) });
  assert.equal((await invoke({ length: 100_000 })).logs[0]!.split('\t')[3], 'é'.repeat(100_000));
  const [cut] = (await invoke({ length: 200_000 })).logs;
  assert.ok(Buffer.byteLength(cut!) < 262_144);
  assert.match(cut!, /é\.\.\. \(cut, 4000\d\d bytes\)$/);
});

test('output of child processes is heard', async (t) => {
  const { invoke, outside, instance } = await run(t, {
    files: cjs(
      `exports.handler = async () => { require('node:child_process').execFileSync('echo', ['from a child'], { stdio: 'inherit' }); };`,
    ),
  });
  const heard = new Promise<void>((resolve) => {
    instance.onLog = (text) => {
      outside.push(text);
      resolve();
    };
  });
  await invoke();
  await heard;
  assert.deepEqual(outside, ['from a child']);
});

test('the function finds its environment, its directory, a directory for temporary files and its layers', async (t) => {
  const { invoke, directory } = await run(t, {
    files: cjs(`
      exports.handler = async () => ({ env: process.env.MINE, cwd: process.cwd(), root: process.env.LAMBDA_TASK_ROOT, argv: process.argv.length,
        tmp: require('node:fs').existsSync(require('node:os').tmpdir()), layer: require('lib'), keys: Object.keys(process.env).length });`),
    environment: { MINE: 'yes', NODE_PATH: '/opt/nodejs/node_modules' },
    layers: [{ 'nodejs/node_modules/lib/index.js': 'module.exports = 1' }, { 'nodejs/node_modules/lib/index.js': 'module.exports = 2' }],
  });
  const value = (await invoke()).value;
  assert.deepEqual(value, { env: 'yes', cwd: directory, root: directory, argv: 2, tmp: true, layer: 2, keys: 6 });
});

test('events and answers of megabytes pass whole', async (t) => {
  const { invoke } = await run(t, { files: cjs('exports.handler = async (event) => event;') });
  const text = 'ü'.repeat(2_900_000);
  assert.equal(((await invoke({ text })).value as { text: string }).text, text);
  assert.deepEqual((await invoke({ small: 1 })).value, { small: 1 });
});

test('what user code does to the globals does not break the protocol', async (t) => {
  const { invoke } = await run(t, {
    files: cjs(`
      JSON.stringify = JSON.parse = () => { throw new Error('patched'); };
      globalThis.setImmediate = globalThis.setTimeout = () => {};
      Buffer.prototype.write = Buffer.prototype.toString = Buffer.prototype.readUInt32LE = () => { throw new Error('patched'); };
      require('node:fs').writeSync = require('node:fs').readSync = () => 0;
      Date.now = () => 0; process.resourceUsage = () => ({}); Date = class {};
      exports.handler = async (event) => { Promise.prototype.then = () => { throw new Error('patched'); }; console.log('still here'); return { event, fine: true }; };`),
  });
  for (let n = 0; n < 3; n++) {
    const answer = await invoke({ n });
    assert.deepEqual(answer.value, { event: { n }, fine: true });
    assert.match(answer.logs[0]!, /still here/);
  }
});

test('several invocations run at a time when the function allows it, each with its own log', async (t) => {
  const { invoke } = await run(t, {
    files: cjs(`
      let running = 0;
      exports.handler = async (event) => {
        running++;
        while (running < 3) await new Promise((resolve) => setTimeout(resolve, 1));
        console.log('mine is', event.n);
        return event.n;
      };`),
    concurrency: 10,
  });
  const answers = await Promise.all([1, 2, 3].map((n) => invoke({ n })));
  assert.deepEqual(
    answers.map(({ value }) => value),
    [1, 2, 3],
  );
  answers.forEach(({ logs }, i) => assert.match(logs.join('|'), new RegExp(`^[^|]*mine is ${i + 1}$`)));
});
