import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bootFailure, initErrorOf, run } from './node-function.ts';

const cjs = (body: string) => ({ 'index.js': body });

test('a thrown error is reported with its name, message and the function part of its stack; the instance goes on', async (t) => {
  const { invoke } = await run(t, {
    files: cjs(`
      class OrderError extends Error { constructor(m) { super(m); this.name = 'OrderError'; this.orderId = 7; } }
      exports.handler = async (event) => { if (event.ok) return 'ok'; throw new OrderError('no such order'); };`),
  });
  const { end, error, logs } = await invoke({});
  assert.equal(end, 'failed');
  assert.equal(error?.errorType, 'OrderError');
  assert.equal(error?.errorMessage, 'no such order');
  assert.equal(error?.stackTrace?.[0], 'OrderError: no such order');
  assert.match(error?.stackTrace?.[1] ?? '', /index\.js:3/);
  assert.ok(!JSON.stringify(error).includes('serve.mjs'), 'the runtime is not part of the stack');
  assert.match(logs[0]!, /\tERROR\tInvoke Error \t\{"errorType":"OrderError","errorMessage":"no such order",.*"orderId":7,"stack":\[/);
  assert.equal((await invoke({ ok: true })).value, 'ok');
});

test('thrown values of every kind are reported', async (t) => {
  const { invoke } = await run(t, {
    files: cjs(`
      const circular = new Error('round'); circular.self = circular;
      const values = {
        string: 'text', number: 42, undefined: undefined, null: null, object: { a: 1 }, circular,
        symbol: Symbol('s'), bare: Object.create(null),
        proxy: new Proxy({}, { get() { throw new Error('trap'); }, getPrototypeOf() { throw new Error('trap'); } }),
        getter: Object.defineProperty(new Error('x'), 'message', { get() { throw new Error('trap'); } }),
        huge: new Error('x'.repeat(9_000_000)), like: { name: 'N', message: 'm', stack: 'N: m' },
        stackless: Object.assign(new Error('no stack'), { stack: undefined }),
      };
      exports.handler = async (event) => { throw values[event.kind]; };`),
  });
  const thrown = async (kind: string) => {
    const { end, error } = await invoke({ kind });
    assert.equal(end, 'failed');
    return [error?.errorType, error?.errorMessage];
  };
  assert.deepEqual(await thrown('string'), ['string', 'text']);
  assert.deepEqual(await thrown('number'), ['number', '42']);
  assert.deepEqual(await thrown('undefined'), ['string', 'handled']);
  assert.deepEqual(await thrown('null'), ['string', 'handled']);
  assert.deepEqual(await thrown('object'), ['object', '[object Object]']);
  assert.deepEqual(await thrown('circular'), ['Error', 'round']);
  assert.deepEqual(await thrown('symbol'), ['symbol', 'Symbol(s)']);
  assert.deepEqual(await thrown('like'), ['N', 'm']);
  assert.deepEqual(await thrown('stackless'), ['Error', 'no stack']);
  for (const kind of ['bare', 'proxy', 'getter']) assert.equal((await thrown(kind))[0], 'handled');
  const [, message] = await thrown('huge');
  assert.ok(message!.length < 300_000 && message!.endsWith('(cut)'));
});

test('what has no JSON form fails the invocation', async (t) => {
  const { invoke } = await run(t, {
    files: cjs(`exports.handler = async (event) => { const c = {}; c.c = c; return event.big ? { n: 1n } : c; };`),
  });
  assert.match((await invoke({ big: true })).error!.errorMessage, /^Unable to stringify response body: .*BigInt/);
  assert.match((await invoke({})).error!.errorMessage, /^Unable to stringify response body: .*circular/);
});

test('an answer over the limit is an error, and the instance goes on', async (t) => {
  const { invoke } = await run(t, { files: cjs(`exports.handler = async (event) => 'x'.repeat(event.bytes);`) });
  const { error } = await invoke({ bytes: 9_000_000 });
  assert.equal(error?.errorType, 'Function.ResponseSizeTooLarge');
  assert.equal((await invoke({ bytes: 1 })).value, 'x');
});

test('a promise that nothing can settle any more is an error, a callback that is never called answers null', async (t) => {
  const { invoke } = await run(t, {
    files: cjs(`exports.handler = (event, context, callback) => (event.async ? new Promise(() => {}) : undefined);`),
  });
  const { error } = await invoke({ async: true });
  assert.equal(error?.errorType, 'Runtime.NodeJsExit');
  const second = await invoke({});
  assert.equal(second.end, 'answered');
  assert.equal(second.value, null);
});

test('an unhandled rejection fails the invocation and ends the process', async (t) => {
  const { invoke, instance } = await run(t, {
    files: cjs(`exports.handler = async () => { Promise.reject(new Error('lost')); await new Promise((r) => setTimeout(r, 1000)); };`),
  });
  const { error, logs } = await invoke();
  assert.equal(error?.errorType, 'Runtime.UnhandledPromiseRejection');
  assert.equal(error?.errorMessage, 'Error: lost');
  assert.match(logs[0]!, /ERROR\tUnhandled Promise Rejection \t\{"errorType":"Runtime.UnhandledPromiseRejection"/);
  assert.deepEqual(await instance.closed, { kind: 'exited', code: 128 });
  assert.equal((await invoke()).end, 'died');
});

test('an uncaught exception fails the invocation and ends the process', async (t) => {
  const { invoke, instance } = await run(t, {
    files: cjs(`exports.handler = (event, context, callback) => { setTimeout(() => { throw new RangeError('late'); }, 1); };`),
  });
  const { error } = await invoke();
  assert.equal(error?.errorType, 'RangeError');
  assert.deepEqual(await instance.closed, { kind: 'exited', code: 129 });
});

test('process.exit ends the invocation with its code, after the exit listeners', async (t) => {
  const { invoke, instance, outside } = await run(t, {
    files: cjs(`
      process.on('exit', (code) => console.log('leaving with', code));
      exports.handler = async () => { process.exit(7); };`),
  });
  const answer = await invoke();
  assert.equal(answer.end, 'died');
  assert.deepEqual(answer.exit, { kind: 'exited', code: 7 });
  assert.match([...answer.logs, ...outside].join('\n'), /leaving with 7/);
  assert.deepEqual(await instance.closed, { kind: 'exited', code: 7 });
});

test('a crash and a full heap are told apart', async (t) => {
  const crashed = await run(t, {
    files: cjs(
      `exports.handler = async () => { process.kill(process.pid, 'SIGSEGV'); await new Promise(() => setTimeout(() => {}, 1e4)); };`,
    ),
  });
  assert.deepEqual((await crashed.invoke()).exit, { kind: 'signalled', signal: 'SIGSEGV' });
  const hungry = await run(t, {
    files: cjs(`exports.handler = async () => { const all = []; for (;;) all.push(new Array(10000).fill({})); };`),
  });
  assert.deepEqual((await hungry.invoke()).exit, { kind: 'outOfMemory' });
});

test('handlers that cannot be found or loaded say why', async (t) => {
  const missing = await initErrorOf(t, cjs('exports.other = 1;'));
  assert.deepEqual([missing.errorType, missing.errorMessage], ['Runtime.HandlerNotFound', 'index.handler is undefined or not exported']);
  const notFunction = await initErrorOf(t, cjs('exports.handler = 1;'));
  assert.deepEqual([notFunction.errorType, notFunction.errorMessage], ['Runtime.HandlerNotFound', 'index.handler is not a function']);
  const noFile = await initErrorOf(t, cjs(''), 'nowhere.handler');
  assert.equal(noFile.errorType, 'Runtime.ImportModuleError');
  assert.match(noFile.errorMessage, /^Error: Cannot find module 'nowhere'/);
  const noDependency = await initErrorOf(t, { 'index.mjs': "import 'left-pad-that-is-not-there'; export const handler = 1;" });
  assert.equal(noDependency.errorType, 'Runtime.ImportModuleError');
  assert.equal((await initErrorOf(t, cjs(''), '../index.handler')).errorType, 'Runtime.MalformedHandlerName');
  assert.equal((await initErrorOf(t, cjs(''), 'index')).errorType, 'Runtime.MalformedHandlerName');
});

test('a syntax error names its place, in JavaScript and in TypeScript', async (t) => {
  const script = await initErrorOf(t, cjs('exports.handler = async () => {\n  return +;\n};'));
  assert.equal(script.errorType, 'Runtime.UserCodeSyntaxError');
  assert.match(script.stackTrace!.join('\n'), /index\.js:2/);
  const esm = await initErrorOf(t, { 'index.mjs': 'export const handler = async () => { return +; };' });
  assert.equal(esm.errorType, 'Runtime.UserCodeSyntaxError');
  const typed = await initErrorOf(t, { 'index.ts': 'enum Colour { Red }\nexport const handler = async () => Colour.Red;' });
  assert.equal(typed.errorType, 'Runtime.UserCodeSyntaxError');
  assert.match(typed.errorMessage, /enum.*bundle the function/i);
});

test('an error, a rejection, an exit and an endless wait during init are reported', async (t) => {
  const thrown = await bootFailure(t, { files: cjs(`console.log('starting'); throw new TypeError('broken');`) });
  assert.equal(thrown.error?.errorType, 'TypeError');
  assert.match(thrown.outside.join('\n'), /starting[^]*Uncaught Exception \t\{"errorType":"TypeError"/);
  const late = await bootFailure(t, {
    files: {
      'index.mjs': `setTimeout(() => { throw new Error('late'); }, 1); await new Promise((r) => setTimeout(r, 5000)); export const handler = 1;`,
    },
  });
  assert.equal(late.error?.errorMessage, 'late');
  const rejected = await bootFailure(t, {
    files: { 'index.mjs': `Promise.reject(new Error('no')); await new Promise((r) => setTimeout(r, 5000));` },
  });
  assert.equal(rejected.error?.errorType, 'Runtime.UnhandledPromiseRejection');
  const exited = await bootFailure(t, { files: cjs(`process.exit(3);`) });
  assert.deepEqual(exited.exit, { kind: 'exited', code: 3 });
  const stuck = await bootFailure(t, { files: { 'index.mjs': 'await new Promise(() => {}); export const handler = 1;' } });
  assert.equal(stuck.error?.errorType, 'Runtime.NodeJsExit');
  const spinning = await bootFailure(t, { files: cjs('for (;;);'), initTimeoutMs: 300 });
  assert.equal(spinning.kind, 'timedOut');
});

test('stacks of bundled code point to the sources', async (t) => {
  const { build } = await import('esbuild');
  const source =
    'type A = { n: number };\n\n// three lines down\nexport const handler = async (event: A) => {\n  throw new Error("mapped");\n};\n';
  const bundled = await build({
    stdin: { contents: source, loader: 'ts', sourcefile: 'src/thing.ts' },
    bundle: true,
    platform: 'node',
    minify: true,
    sourcemap: 'inline',
    write: false,
  });
  const { invoke } = await run(t, { files: cjs(bundled.outputFiles[0]!.text) });
  const { error } = await invoke();
  assert.match(error!.stackTrace!.join('\n'), /thing\.ts:5/);
});
