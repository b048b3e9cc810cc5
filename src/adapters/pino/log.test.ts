import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { HearthError } from '../../kernel/mod.ts';
import { pinoLog } from './mod.ts';
import type { PinoLogOptions } from './mod.ts';

function capture(options: Pick<PinoLogOptions, 'level' | 'format'>) {
  const lines: string[] = [];
  return { log: pinoLog({ ...options, write: (line) => void lines.push(line) }), lines };
}

test('a JSON line carries time, level, message and fields', () => {
  const { log, lines } = capture({ level: 'info', format: 'json' });
  log.info({ port: 4566, nested: { a: 1 } }, 'ready');
  const { time, ...rest } = JSON.parse(lines[0]!) as Record<string, unknown>;
  assert.match(String(time), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.deepEqual(rest, { level: 30, port: 4566, nested: { a: 1 }, msg: 'ready' });
  assert.match(lines[0]!, /\n$/);
});

test('only lines of the level and above are written', () => {
  const { log, lines } = capture({ level: 'warn', format: 'plain' });
  log.debug({}, 'no');
  log.info({}, 'no');
  log.warn({}, 'yes');
  log.error({}, 'yes');
  assert.equal(lines.length, 2);
  const silent = capture({ level: 'silent', format: 'json' });
  silent.log.error({}, 'no');
  assert.deepEqual(silent.lines, []);
});

test('a plain line shows the fields after the message, quoted where needed', () => {
  const { log, lines } = capture({ level: 'debug', format: 'plain' });
  log.debug({ functionName: 'hello', text: 'two words', list: [1] }, 'something happened');
  assert.match(lines[0]!, /^\d\d:\d\d:\d\d\.\d{3} debug something happened functionName=hello text="two words" list=\[1\]\n$/);
});

test('an error keeps its code, its stack and its cause', () => {
  const error = new HearthError('StoreFailed', 'no write', { cause: new Error('disk gone') });
  const json = capture({ level: 'info', format: 'json' });
  json.log.error({ error }, 'failed');
  const shown = (JSON.parse(json.lines[0]!) as { error: { code: string; stack: string; cause: { message: string } } }).error;
  assert.equal(shown.code, 'StoreFailed');
  assert.match(shown.stack, /no write/);
  assert.equal(shown.cause.message, 'disk gone');
  const plain = capture({ level: 'info', format: 'plain' });
  plain.log.error({ error }, 'failed');
  assert.match(plain.lines[0]!, /ERROR failed error=StoreFailed\n {2}HearthError: no write\n {6}at /);
});

test('by default lines go to standard error, also right before the process ends', async () => {
  const mod = new URL('./mod.ts', import.meta.url).href;
  const program = `const { pinoLog } = await import(${JSON.stringify(mod)}); pinoLog({ level: 'info', format: 'json' }).info({}, 'last words'); process.exit(0)`;
  const { stdout, stderr } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program]);
  assert.equal(stdout, '');
  assert.match(stderr, /"msg":"last words"\}\n$/);
});
