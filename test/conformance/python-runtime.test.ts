import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EventForm, FormEvent } from '../../src/protocol/mod.ts';
import { runPython, skip } from './python.testing.ts';

test('a handler gets event and context, and its result is the answer', { skip }, async (t) => {
  const { invoke } = await runPython(t, {
    code: `
def handler(event, context):
    return {
        'event': event,
        'id': context.aws_request_id,
        'arn': context.invoked_function_arn,
        'name': [context.function_name, context.function_version, context.memory_limit_in_mb],
        'log': [context.log_group_name, context.log_stream_name],
        'left': context.get_remaining_time_in_millis(),
        'identity': [context.identity.cognito_identity_id, context.identity.cognito_identity_pool_id],
        'client': context.client_context and [context.client_context.client.app_title, context.client_context.custom, context.client_context.env],
    }
`,
    environment: {
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '128',
      AWS_LAMBDA_LOG_GROUP_NAME: '/aws/lambda/test',
      AWS_LAMBDA_LOG_STREAM_NAME: 'stream',
    },
  });
  const event = { text: 'grüße 🎉', list: [1, 2.5, null, true], nested: { a: {} } };
  const { left, ...value } = (await invoke(event, { id: 'the id' })).value as { left: number };
  assert.ok(left > 0 && left <= 60_000, String(left));
  assert.deepEqual(value, {
    event,
    id: 'the id',
    arn: 'arn:aws:lambda:us-east-1:000000000000:function:test',
    name: ['test', '$LATEST', '128'],
    log: ['/aws/lambda/test', 'stream'],
    identity: [null, null],
    client: null,
  });
  const more = {
    clientContext: '{"client":{"app_title":"t"},"custom":{"a":1},"env":{"b":2}}',
    identity: '{"cognitoIdentityId":"i","cognitoIdentityPoolId":"p"}',
  };
  const second = (await invoke({}, more)).value as { identity: unknown; client: unknown };
  assert.deepEqual(
    [second.identity, second.client],
    [
      ['i', 'p'],
      ['t', { a: 1 }, { b: 2 }],
    ],
  );
  const broken = await invoke({}, { identity: '{' });
  assert.equal(broken.error?.errorType, 'Runtime.LambdaContextUnmarshalError');
});

test('an event that comes as a form is the same to the handler', { skip }, async (t) => {
  const { invoke } = await runPython(t, {
    code: 'def handler(event, context):\n    event["seen"] = context.aws_request_id\n    return event\n',
  });
  const shape = '{"a":{"b":"","list":[{"c":1}]},"n":0,"j":null,"body":"","isBase64Encoded":true}';
  const blanks = [
    { path: ['a', 'b'], as: 'text' },
    { path: ['n'], as: 'number' },
    { path: ['j'], as: 'json' },
  ] as const;
  for (const body of ['text', 'base64'] as const) {
    const form = new EventForm(shape, blanks, body);
    for (const n of [1, 2]) {
      const event = new FormEvent(form, `tëxt ${n}\n${n}\n{"x":[${n}]}\n`, Buffer.from(`größe ${n}`));
      const { value } = await invoke(event, { id: `id ${n}` });
      assert.deepEqual(value, { ...(JSON.parse(event.toJson()) as object), seen: `id ${n}` });
      // What a handler does to its event is not seen by the next.
      assert.deepEqual((await invoke(event, { id: 'again' })).value, { ...(JSON.parse(event.toJson()) as object), seen: 'again' });
    }
  }
});

test('answers: what JSON has words for, and what Lambda writes all the same', { skip }, async (t) => {
  const { invoke } = await runPython(t, {
    code: `
import decimal
VALUES = {
    'none': None, 'text': 'ü', 'tuple': (1, 2), 'decimal': decimal.Decimal('1.5'), 'keys': {1: 'a'}, 'surrogate': '\\ud83d',
    'set': {1}, 'bytes': b'x', 'object': object(), 'circle': [],
}
VALUES['circle'].append(VALUES['circle'])
def handler(event, context):
    return VALUES[event]
async def later(event, context):
    return 1
VALUES['coroutine'] = later
`,
  });
  const values: Record<string, unknown> = { none: null, text: 'ü', tuple: [1, 2], decimal: 1.5, keys: { 1: 'a' }, surrogate: '\ud83d' };
  for (const [name, value] of Object.entries(values)) assert.deepEqual((await invoke(name)).value, value, name);
  for (const [name, kind] of [
    ['set', 'set'],
    ['bytes', 'bytes'],
    ['object', 'object'],
    ['coroutine', 'function'],
  ]) {
    const { error } = await invoke(name);
    const message = `Unable to marshal response: Object of type ${kind} is not JSON serializable`;
    assert.deepEqual([error?.errorType, error?.errorMessage], ['Runtime.MarshalError', message]);
  }
  assert.equal((await invoke('circle')).error?.errorType, 'Runtime.MarshalError');
});

test('events and answers of 6 MB pass, and a larger answer is an error', { skip }, async (t) => {
  const { invoke } = await runPython(t, { code: 'def handler(event, context):\n    return event["text"] * event["times"]\n' });
  const text = 'x'.repeat(6_000_000);
  assert.equal((await invoke({ text, times: 1 })).value, text);
  assert.equal((await invoke({ text: 'a', times: 6_291_554 })).value, 'a'.repeat(6_291_554));
  const { error } = await invoke({ text, times: 2 });
  assert.equal(error?.errorType, 'Function.ResponseSizeTooLarge');
  assert.equal((await invoke({ text: 'b', times: 2 })).value, 'bb');
});

test("an exception is told in Lambda's shape, with the places in the function alone, and the instance goes on", { skip }, async (t) => {
  const { invoke, directory } = await runPython(t, {
    files: {
      'index.py': `from inner import fail
class Own(Exception):
    pass
class Unreadable(Exception):
    def __str__(self):
        raise ValueError('no')
def handler(event, context):
    if event == 'own':
        raise Own('my own')
    if event == 'unreadable':
        raise Unreadable()
    if event == 'deep':
        return handler(event, context)
    fail(event)
`,
      'inner.py': 'def fail(what):\n    raise KeyError(what)\n',
    },
  });
  const { error, logs } = await invoke('missing', { id: 'req' });
  assert.deepEqual([error?.errorType, error?.errorMessage, error?.requestId], ['KeyError', "'missing'", 'req']);
  const trace = error!.stackTrace!.map((line) => line.split('\n').slice(0, 2).join('\n'));
  assert.deepEqual(trace, [
    `  File "${directory}/index.py", line 14, in handler\n    fail(event)`,
    `  File "${directory}/inner.py", line 2, in fail\n    raise KeyError(what)`,
  ]);
  assert.match(logs.join('\n'), /^\[ERROR\] KeyError: 'missing'\nTraceback \(most recent call last\):\n {2}File ".*index\.py", line 14/);
  assert.deepEqual((await invoke('own')).error?.errorType, 'Own');
  assert.equal((await invoke('unreadable')).error?.errorMessage, 'An exception was raised whose text could not be read.');
  assert.equal((await invoke('deep')).error?.errorType, 'RecursionError');
  assert.equal((await invoke('again')).error?.errorMessage, "'again'");
});

test('what is printed comes line by line, and what is logged with time, request and level', { skip }, async (t) => {
  const { invoke, outside } = await runPython(t, {
    code: `
import logging, sys, os
logging.getLogger().setLevel('INFO')
print('during init')
def handler(event, context):
    print('one\\ntwo')
    print('no end', end='')
    sys.stderr.write('to stderr\\n')
    sys.stdout.buffer.write(b'bytes \\xff\\n')
    logging.info('said %s', 'this')
    logging.debug('not said')
    try:
        1 / 0
    except ZeroDivisionError:
        logging.exception('failed')
    context.log('by context\\n')
`,
  });
  const { logs } = await invoke({}, { id: 'req' });
  assert.deepEqual(outside, ['during init']);
  const time = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/.source;
  const text = logs.join('\n');
  assert.match(text, /^one\ntwo$/m);
  assert.match(text, /^no end/m);
  assert.match(text, /^to stderr$/m);
  assert.match(text, /^.*bytes \ufffd$/m);
  assert.match(text, /by context$/m);
  assert.match(text, new RegExp(`^\\[INFO\\]\t${time}\treq\tsaid this$`, 'm'));
  assert.match(text, new RegExp(`^\\[ERROR\\]\t${time}\treq\tfailed\nTraceback [^]*ZeroDivisionError: division by zero$`, 'm'));
  assert.doesNotMatch(text, /not said/);
});

test('JSON log lines have what Lambda gives them, and the level decides', { skip }, async (t) => {
  const { invoke } = await runPython(t, {
    code: `
import logging
def handler(event, context):
    log = logging.getLogger('mine')
    log.info('not said')
    log.warning('careful %s', 1, extra={'order': 7, 'what': object})
    try:
        1 / 0
    except ZeroDivisionError:
        log.exception('failed')
    raise ValueError('at last')
`,
    environment: { AWS_LAMBDA_LOG_FORMAT: 'JSON', AWS_LAMBDA_LOG_LEVEL: 'WARN' },
  });
  const lines = (await invoke({}, { id: 'req' })).logs.map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.equal(lines.length, 3);
  const [first, second, third] = lines as [Record<string, unknown>, Record<string, unknown>, Record<string, unknown>];
  assert.match(String(first['timestamp']), /^\d{4}-.*Z$/);
  const { timestamp: _, ...rest } = first;
  const what = "<class 'object'>";
  assert.deepEqual(rest, { level: 'WARNING', message: 'careful 1', logger: 'mine', requestId: 'req', order: 7, what });
  assert.deepEqual([second['errorType'], second['errorMessage'], second['message']], ['ZeroDivisionError', 'division by zero', 'failed']);
  assert.deepEqual([third['errorType'], third['log_level'], third['requestId']], ['ValueError', 'ERROR', 'req']);
});

test('what ends the process is told as that, and its last words are kept', { skip }, async (t) => {
  for (const [code, expected] of [
    ['sys.exit(3)', 3],
    ['sys.exit()', 0],
    ["sys.exit('a reason')", 1],
    ['os._exit(4)', 4],
    ['raise KeyboardInterrupt', 1],
  ] as const) {
    const { invoke } = await runPython(t, {
      code: `import atexit, os, sys\natexit.register(lambda: print('at exit'))\ndef handler(event, context):\n    print('before', end='')\n    ${code}\n`,
    });
    const { end, exit, logs } = await invoke();
    assert.deepEqual([end, exit], ['died', { kind: 'exited', code: expected }], code);
    if (!code.startsWith('os')) assert.match(logs.join('\n'), /before.*at exit/s, code);
    if (code.includes('reason')) assert.match(logs.join('\n'), /a reason/);
  }
});

test('threads write whole lines, and go on after the answer', { skip }, async (t) => {
  const { invoke } = await runPython(t, {
    code: `
import threading
done = threading.Event()
def speak(n):
    for i in range(200):
        print('%d-%d-' % (n, i) + 'x' * 2000)
def handler(event, context):
    if event == 'later':
        return done.wait(60)
    threads = [threading.Thread(target=speak, args=(n,)) for n in range(4)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    threading.Timer(0.05, done.set).start()
`,
  });
  const { logs } = await invoke();
  const lines = logs.join('\n').split('\n');
  assert.equal(lines.length, 800);
  for (const line of lines) assert.match(line, /^[0-3]-\d+-x{2000}$/);
  assert.equal((await invoke('later')).value, true);
});

test('what a thread prints at the moment of the answer harms nobody', { skip }, async (t) => {
  const { invoke } = await runPython(t, {
    code: `
import sys, threading, time
# Threads take turns as often as can be, in the middle of whatever the runtime does.
sys.setswitchinterval(1e-6)
def speak():
    while True:
        print('thread')
        time.sleep(0.00001)
def handler(event, context):
    if event == 0:
        threading.Thread(target=speak, daemon=True).start()
    return event
`,
  });
  for (let event = 0; event < 300; event++) assert.equal((await invoke(event)).value, event);
});

test("the environment is the function's, with the trace of each invocation", { skip }, async (t) => {
  const { invoke } = await runPython(t, {
    code: 'import os\ndef handler(event, context):\n    return [os.environ.get(name) for name in ("GREETING", "_X_AMZN_TRACE_ID", "HOME")]\n',
    environment: { GREETING: 'hallo' },
  });
  assert.deepEqual((await invoke({}, { trace: 'Root=1' })).value, ['hallo', 'Root=1', null]);
  assert.deepEqual((await invoke({}, { trace: 'Root=2' })).value, ['hallo', 'Root=2', null]);
});
