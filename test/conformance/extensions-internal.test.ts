/** Internal extensions: code within the runtime's own processes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NODE_FUNCTION, UNHURRIED, invoke, openEnvironments, skip, templateOf, until } from './extensions.testing.ts';
import type { Environments } from './extensions.testing.ts';

test('an internal extension hears of invocations, may not ask for the end, and takes its function out of forking', { skip }, async (t) => {
  const { boot } = await openEnvironments(t, { windDown: UNHURRIED });
  const code = `
    const base = 'http://' + process.env.AWS_LAMBDA_RUNTIME_API + '/2020-01-01/extension/';
    const register = (name, events) => fetch(base + 'register', { method: 'POST', headers: { 'Lambda-Extension-Name': name }, body: JSON.stringify({ events }) });
    const refused = (await register('inner', ['SHUTDOWN'])).status;
    const registered = await register('inner', ['INVOKE']);
    const headers = { 'Lambda-Extension-Identifier': registered.headers.get('lambda-extension-identifier') };
    let heard;
    const next = async () => {
      for (;;) {
        heard = await (await fetch(base + 'event/next', { headers })).json();
        console.log('heard ' + JSON.stringify(heard));
      }
    };
    void next();
    process.on('SIGTERM', () => { console.log('told to end'); process.exit(0); });
    export const handler = async (event, context) => {
      while (heard?.requestId !== context.awsRequestId) await new Promise((go) => setTimeout(go, 5));
      return { refused, late: (await register('late', [])).status };
    };`;
  const python = `
import json, os, signal, sys, threading, time, urllib.error, urllib.request
base = 'http://' + os.environ['AWS_LAMBDA_RUNTIME_API'] + '/2020-01-01/extension/'
def call(path, headers, body=None):
    try:
        with urllib.request.urlopen(urllib.request.Request(base + path, data=body and json.dumps(body).encode(), headers=headers)) as answer:
            return answer.status, answer.headers, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, error.headers, None
def register(name, events):
    return call('register', {'Lambda-Extension-Name': name}, {'events': events})
refused = register('inner', ['SHUTDOWN'])[0]
mine = {'Lambda-Extension-Identifier': register('inner', ['INVOKE'])[1]['Lambda-Extension-Identifier']}
heard = {}
def listen():
    global heard
    while True:
        told = call('event/next', mine)[2]
        print('heard ' + json.dumps(told))
        heard = told
threading.Thread(target=listen, daemon=True).start()
def end(number, frame):
    print('told to end')
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
def handler(event, context):
    while heard.get('requestId') != context.aws_request_id:
        time.sleep(0.005)
    return {'refused': refused, 'late': register('late', [])[0]}
`;
  for (const [runtime, text] of [
    ['node', code],
    ['python', python],
  ] as const)
    await t.test(runtime, () => hearsInside(boot, runtime, text));
});

async function hearsInside(boot: Environments['boot'], runtime: 'node' | 'python', code: string): Promise<void> {
  const booted = await boot(runtime, code, { 'lib/nothing': '' });
  const template = templateOf(booted);
  assert.equal(template.forks, false);
  assert.ok(template.blockers.some(({ kind, detail }) => kind === 'internal extension' && detail === 'inner'));
  const log: string[] = [];
  for (const instance of [template.fork(), template.fork()]) {
    for (const number of [1, 2]) {
      const { value, id, end } = await invoke(instance, { number }, log);
      assert.deepEqual(value, { refused: 403, late: 403 }, JSON.stringify(end));
      assert.ok(
        log.some((line) => line.includes('heard') && line.includes(id)),
        log.join('\n'),
      );
    }
    instance.kill();
  }
  await until(
    () => log.filter((line) => line.includes('told to end')).length === 2,
    () => log.join('\n'),
  );
}

test('a handler of SIGTERM in Python is called too where the kernel gives the signal to another thread', { skip }, async (t) => {
  const { boot } = await openEnvironments(t, { windDown: UNHURRIED });
  const code = `
import os, signal, sys, threading, urllib.request
register = 'http://' + os.environ['AWS_LAMBDA_RUNTIME_API'] + '/2020-01-01/extension/register'
urllib.request.urlopen(urllib.request.Request(register, data=b'{"events":[]}', headers={'Lambda-Extension-Name': 'inner'}))
def end(number, frame):
    print('told to end')
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
threading.Thread(target=threading.Event().wait, daemon=True).start()
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
def handler(event, context):
    return event
`;
  const template = templateOf(await boot('python', code, { 'lib/nothing': '' }));
  const log: string[] = [];
  const instance = template.fork();
  for (const number of [1, 2]) assert.deepEqual((await invoke(instance, { number }, log)).value, { number });
  instance.kill();
  await instance.closed;
  assert.deepEqual(log, ['told to end']);
});

test('a layer without extensions leaves a function what it is, and gives it the address', { skip }, async (t) => {
  const { boot } = await openEnvironments(t);
  const template = templateOf(await boot('node', NODE_FUNCTION, { 'lib/nothing': '' }));
  assert.equal(template.forks, true);
  const [first, second] = [template.fork(), template.fork()];
  assert.equal(((await invoke(first)).value as { api: string }).api, '127.0.0.1:9001');
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal((await invoke(second)).end.kind, 'answered');
  assert.equal((await invoke(first)).end.kind, 'answered');
});
