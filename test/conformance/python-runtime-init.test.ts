import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { NEVER_BEGAN, RECORD } from '../../runtimes/ladder/orders.ts';
import { FRAME } from '../../src/protocol/frames.ts';
import { RUNTIME, pythonFailure, runPython, skip } from './python.testing.ts';

const FAILING: Readonly<Record<string, readonly [code: string, handler: string, type: string, message: RegExp, trace: RegExp]>> = {
  'a syntax error': [
    'def handler(event, context)\n    return 1\n',
    'index.handler',
    'Runtime.UserCodeSyntaxError',
    /^Syntax error in module 'index': .+ \(index\.py, line 1\)$/,
    /index\.py" Line 1\n {4}def handler\(event, context\)/,
  ],
  'a missing dependency': [
    'import os\nimport nowhere_to_be_found\n',
    'index.handler',
    'Runtime.ImportModuleError',
    /^Unable to import module 'index': No module named 'nowhere_to_be_found'$/,
    /index\.py", line 2, in <module>/,
  ],
  'a missing module': [
    '',
    'other.handler',
    'Runtime.ImportModuleError',
    /^Unable to import module 'other': No module named 'other'$/,
    /^$/,
  ],
  'a missing function': ['x = 1', 'index.handler', 'Runtime.HandlerNotFound', /^Handler 'handler' missing on module 'index'$/, /^$/],
  'something that is no function': [
    'handler = 5',
    'index.handler',
    'Runtime.HandlerNotFound',
    /'handler' on module 'index' is not callable: it is an int$/,
    /^$/,
  ],
  'a name without a module': ['', 'handler', 'Runtime.MalformedHandlerName', /^Bad handler 'handler'/, /^$/],
  'a name that is none': ['', '..handler', 'Runtime.MalformedHandlerName', /^Bad handler '\.\.handler'/, /^$/],
  'a built-in module': ['', 'sys.handler', 'Runtime.BuiltInModuleConflict', /^Cannot use built-in module sys/, /^$/],
  'an exception': [
    'def f():\n    raise LookupError("not today")\nf()\n',
    'index.handler',
    'LookupError',
    /^not today$/,
    /index\.py", line 3, in <module>.*line 2, in f/s,
  ],
  'a value error of its own': ['int("x")', 'index.handler', 'ValueError', /invalid literal/, /index\.py", line 1/],
  'a hook before the snapshot': [
    'from snapshot_restore_py import register_before_snapshot\n@register_before_snapshot\ndef hook():\n    raise OSError("still open")\ndef handler(e, c): pass\n',
    'index.handler',
    'Runtime.BeforeSnapshotError',
    /^OSError: still open$/,
    /line 4, in hook/,
  ],
};

for (const [what, [code, handler, type, message, trace]] of Object.entries(FAILING)) {
  test(`init fails, and says why: ${what}`, { skip }, async (t) => {
    const { kind, error, outside } = await pythonFailure(t, { code, handler });
    assert.equal(kind, 'failed');
    assert.equal(error?.errorType, type);
    assert.match(error.errorMessage, message);
    assert.match(error.stackTrace!.join(''), trace);
    assert.match(outside.join('\n'), new RegExp(`^\\[ERROR\\] ${type}: `, 'm'));
  });
}

test('a module that ends the process is told with its place', { skip }, async (t) => {
  const { kind, exit, outside } = await pythonFailure(t, { code: 'import sys\nprint("so far")\nsys.exit(7)\n' });
  assert.deepEqual([kind, exit], ['exited', { kind: 'exited', code: 7 }]);
  assert.match(outside.join('\n'), /so far[^]*SystemExit: the module ended the process while it was loaded: 7[^]*index\.py", line 3/);
});

test('a module that never comes to its end is out of time', { skip }, async (t) => {
  const { kind, outside } = await pythonFailure(t, { code: 'import time\nprint("waiting")\ntime.sleep(100)\n', initTimeoutMs: 6_000 });
  assert.deepEqual([kind, outside], ['timedOut', ['waiting']]);
});

test('handlers are found in modules, packages and layers, and before modules of the same name of Python itself', { skip }, async (t) => {
  const say = (what: string) => `def handler(event, context):\n    return '${what}'\n`;
  const files = {
    'a/b/c.py': say('c'),
    'a/b/__init__.py': 'from .c import handler\n',
    'queue.py': say('own queue'),
    'uses.py': 'from queue import handler\n',
  };
  for (const [handler, value] of [
    ['a/b/c.handler', 'c'],
    ['a.b.c.handler', 'c'],
    ['a/b.handler', 'c'],
    ['queue.handler', 'own queue'],
    ['uses.handler', 'own queue'],
  ] as const) {
    assert.equal((await (await runPython(t, { files, handler })).invoke()).value, value, handler);
  }
  const layers = [
    { 'python/shared.py': 'WHO = "first"\n', 'python/only.py': 'ONLY = 1\n' },
    { 'python/shared.py': 'WHO = "second"\n', [`python/lib/${RUNTIME}/site-packages/versioned.py`]: 'V = 2\n' },
  ];
  const environment = { PYTHONPATH: `/opt/python/lib/${RUNTIME}/site-packages:/opt/python` };
  const code = 'import shared, only, versioned\ndef handler(event, context):\n    return [shared.WHO, only.ONLY, versioned.V]\n';
  assert.deepEqual((await (await runPython(t, { code, layers, environment })).invoke()).value, ['second', 1, 2]);
});

test("hooks run around the snapshot in Lambda's order, once, before the first invocation", { skip }, async (t) => {
  const { invoke } = await runPython(t, {
    code: `
from snapshot_restore_py import register_after_restore, register_before_snapshot
seen = []
register_before_snapshot(seen.append, 'before 1')
@register_before_snapshot
def second():
    seen.append('before 2')
register_after_restore(lambda *a, **k: seen.append(['after 1', a, k]), 1, b=2)
@register_after_restore
def later():
    seen.append('after 2')
def handler(event, context):
    return seen
`,
  });
  const seen = ['before 2', 'before 1', ['after 1', [1], { b: 2 }], 'after 2'];
  assert.deepEqual((await invoke()).value, seen);
  assert.deepEqual((await invoke()).value, seen);
});

test('a hook that fails after the snapshot fails the invocation, and ends the instance', { skip }, async (t) => {
  const { invoke, instance } = await runPython(t, {
    code: `
from snapshot_restore_py import register_after_restore
@register_after_restore
def hook():
    raise OSError('no connection')
def handler(event, context):
    return 1
`,
  });
  const { error } = await invoke();
  assert.deepEqual([error?.errorType, error?.errorMessage], ['Runtime.AfterRestoreError', 'OSError: no connection']);
  assert.deepEqual(await instance.closed, { kind: 'exited', code: 64 });
});

test("the runtime's numbers of frames and records are the host's", () => {
  const numbersIn = (file: string) => {
    const text = readFileSync(join(import.meta.dirname, '../../runtimes/python', file), 'utf8');
    return new Map(
      [...text.matchAll(/^([A-Z_]+) = (0x)?(\d+)$/gm)].map(([, name, hex, digits]) => [name!, Number(`${hex ?? ''}${digits}`)]),
    );
  };
  const upper = (name: string) => name.replaceAll(/[A-Z]/g, '_$&').toUpperCase();
  const frames = numbersIn('channel.py');
  for (const [name, kind] of Object.entries(FRAME)) assert.equal(frames.get(upper(name)), kind, name);
  const records = numbersIn('messages.py');
  for (const name of ['hello', 'reaped', 'ready', 'initialised', 'notForked', 'joined'] as const)
    assert.equal(records.get(upper(name)), RECORD[name], name);
  assert.equal(records.get('NEVER_BEGAN'), NEVER_BEGAN);
});
