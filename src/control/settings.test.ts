import assert from 'node:assert/strict';
import { test } from 'node:test';
import { applySettings } from './settings.ts';

const NEEDED = { runtime: 'nodejs26.x', handler: 'index.handler', role: 'arn:aws:iam::000000000000:role/r' };

test('a new function gets the defaults of Lambda', () => {
  assert.deepEqual(applySettings('f', undefined, NEEDED), {
    ...NEEDED,
    description: '',
    timeoutSeconds: 3,
    memoryMiB: 128,
    tmpMiB: 512,
    tracing: 'PassThrough',
    architecture: 'x86_64',
    logging: { format: 'Text', group: '/aws/lambda/f' },
  });
});

test('a change keeps what it leaves out, and an empty environment takes all variables away', () => {
  const before = applySettings('f', undefined, { ...NEEDED, environment: { AA: '1' }, memoryMiB: 256 });
  const after = applySettings('f', before, { timeoutSeconds: 10 });
  assert.deepEqual(after, { ...before, timeoutSeconds: 10 });
  assert.deepEqual(applySettings('f', before, { environment: {} }).environment, {});
});

test('log levels come and go with the JSON format', () => {
  const json = applySettings('f', undefined, { ...NEEDED, logging: { format: 'JSON', systemLevel: 'WARN' } });
  assert.deepEqual(json.logging, { format: 'JSON', applicationLevel: 'INFO', systemLevel: 'WARN', group: '/aws/lambda/f' });
  assert.deepEqual(applySettings('f', json, { logging: { format: 'Text' } }).logging, { format: 'Text', group: '/aws/lambda/f' });
  assert.throws(() => applySettings('f', undefined, { ...NEEDED, logging: { applicationLevel: 'INFO' } }), /need the LogFormat JSON/);
});

test('the environment is measured in bytes of its JSON', () => {
  const fits = { AA: 'x'.repeat(4_096 - '{"AA":""}'.length) };
  assert.deepEqual(applySettings('f', undefined, { ...NEEDED, environment: fits }).environment, fits);
  assert.throws(() => applySettings('f', undefined, { ...NEEDED, environment: { AA: `${fits.AA}x` } }), /exceeded the 4KB limit/);
});

test('a wrapper is for runtimes that are executed', () => {
  const environment = { AWS_LAMBDA_EXEC_WRAPPER: '/opt/wrapper' };
  for (const runtime of ['nodejs26.x', 'python3.12', 'provided.al2023'])
    assert.deepEqual(applySettings('f', undefined, { ...NEEDED, runtime, environment }).environment, environment);
  assert.throws(
    () => applySettings('f', undefined, { ...NEEDED, runtime: 'wasm', environment }),
    /AWS_LAMBDA_EXEC_WRAPPER is for Node and Python/,
  );
});
