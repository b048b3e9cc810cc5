/** What extensions are told of their function, by listeners in real environments. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  NODE_FUNCTION,
  PYTHON_FUNCTION,
  UNHURRIED,
  invoke,
  nodeExtension,
  openEnvironments,
  pythonExtension,
  shellExtension,
  shellRuntime,
  skip,
  templateOf,
  toldIn,
  until,
} from './extensions.testing.ts';

const functions = { node: NODE_FUNCTION, python: PYTHON_FUNCTION, shell: shellRuntime() } as const;
const TYPES = ['platform', 'function', 'extension'];
const listeners = {
  'python, by HTTP': { 'extensions/listener.py': pythonExtension(['platform', 'function']) },
  'node, by TCP': { 'extensions/tcp.js': nodeExtension(['platform', 'function']) },
} as const;
type Platform = { readonly requestId: string; readonly status?: string; readonly metrics: Record<string, number> };

for (const runtime of ['node', 'python', 'shell'] as const) {
  for (const [listener, layer] of Object.entries(listeners)) {
    // There is no Node where a function has Python, as on Lambda.
    if (runtime === 'python' && listener.startsWith('node')) continue;
    test(`${runtime}: a listener in ${listener} is told all of several invocations, in order`, { skip }, async (t) => {
      const { boot } = await openEnvironments(t, { windDown: UNHURRIED });
      const booted = await boot(runtime, functions[runtime], layer);
      const instance = templateOf(booted).fork();
      const log = booted.log;
      const ids: string[] = [];
      for (const number of [1, 2, 3]) ids.push((await invoke(instance, { number }, log)).id);
      instance.kill();
      await until(
        () => toldIn(log).filter(({ type }) => type === 'platform.report').length === 3,
        () => log.join('\n'),
      );
      const told = toldIn(log);
      const platform = told.filter(({ type }) => type !== 'function');
      assert.equal(platform[0]!.type, 'platform.initStart');
      // The runtime's init goes on while an extension subscribes.
      const during = platform.slice(1, 3).map(({ type }) => type);
      assert.deepEqual(during.toSorted(), ['platform.initRuntimeDone', 'platform.telemetrySubscription']);
      assert.deepEqual(
        platform.slice(3).map(({ type }) => type),
        [
          ...['platform.extension', 'platform.initReport'],
          ...ids.flatMap(() => ['platform.start', 'platform.runtimeDone', 'platform.report']),
        ],
        JSON.stringify(told),
      );
      for (const [i, id] of ids.entries()) {
        const [start, done, report] = platform.slice(5 + i * 3, 8 + i * 3).map(({ record }) => record as Platform);
        assert.deepEqual([start!.requestId, done!.requestId, report!.requestId], [id, id, id]);
        assert.deepEqual([done!.status, report!.status], ['success', 'success']);
        assert.ok(done!.metrics['durationMs']! <= report!.metrics['durationMs']! && done!.metrics['producedBytes']! > 0);
        assert.equal(report!.metrics['initDurationMs'] === undefined, i > 0);
        assert.equal(report!.metrics['memorySizeMB'], 256);
        assert.ok(report!.metrics['maxMemoryUsedMB']! > 0);
      }
      if (runtime !== 'shell') {
        const lines = told.flatMap(({ type, record }) => (type === 'function' ? [record as string] : []));
        assert.match(lines[0]!, /init of the function$/);
        assert.deepEqual(
          lines.slice(1).map((line) => line.replace(/^.*called with /s, '')),
          ['{"number":1}', '{"number":2}', '{"number":3}'],
        );
      }
      const times = told.map(({ time }) => time);
      assert.deepEqual(times, times.toSorted());
    });
  }
}

test('errors, ends and timeouts are told as such', { skip }, async (t) => {
  const { boot } = await openEnvironments(t, { windDown: UNHURRIED });
  const layer = { 'extensions/listener.py': pythonExtension(['platform']) };
  for (const [event, status, errorType, timeoutMs] of [
    [{ fail: true }, 'error', 'TypeError', 60_000],
    [{ exit: true }, 'failure', 'Runtime.ExitError', 60_000],
    [{ hang: true }, 'timeout', undefined, 200],
  ] as const) {
    const booted = await boot('node', NODE_FUNCTION, layer);
    const instance = templateOf(booted).fork();
    const { log } = booted;
    const invoked = invoke(instance, event, log, timeoutMs);
    if (status === 'timeout') setTimeout(() => instance.kill(), timeoutMs + 50);
    await invoked;
    instance.kill();
    await until(
      () => toldIn(log).some(({ type }) => type === 'platform.report'),
      () => log.join('\n'),
    );
    for (const type of ['platform.runtimeDone', 'platform.report']) {
      assert.equal(toldIn(log).filter((event) => event.type === type).length, 1, log.join('\n'));
      const record = toldIn(log).find((event) => event.type === type)!.record as { status: string; errorType?: string };
      assert.deepEqual([record.status, record.errorType], [status, errorType], type);
    }
  }
});

test('lines of extensions are told to others, and lines of a log in JSON as objects', { skip }, async (t) => {
  const { boot } = await openEnvironments(t, { windDown: UNHURRIED });
  const layer = {
    'extensions/a-listener.py': pythonExtension(['function']),
    'extensions/b-writer': shellExtension('echo "written by the other"'),
  };
  const code = `export const handler = async () => { console.log({ a: 1 }); return 1; };`;
  const booted = await boot('node', code, layer, { environment: { AWS_LAMBDA_LOG_FORMAT: 'JSON' } });
  const instance = templateOf(booted).fork();
  await invoke(instance, {}, booted.log);
  instance.kill();
  await until(
    () => toldIn(booted.log).length > 0,
    () => booted.log.join('\n'),
  );
  const [line] = toldIn(booted.log);
  assert.deepEqual((line!.record as { message: object }).message, { a: 1 });

  const all = await boot('node', NODE_FUNCTION, {
    'extensions/quiet': shellExtension('case $event in *INVOKE*) echo "$(cat /tmp/got)";; esac', LISTEN_FOR_EXTENSIONS),
    'extensions/writer': shellExtension('', 'echo "written by the other"'),
  });
  const second = templateOf(all).fork();
  await until(
    () => {
      void invoke(second, {}, all.log);
      return all.log.some((text) => text.includes('"type":"extension"') && text.includes('"record":"written by the other"'));
    },
    () => all.log.join('\n'),
  );
  second.kill();
});

/** Written to a file: who prints what it is told of extensions is told of that, and so on. */
const LISTEN_FOR_EXTENSIONS = `cat > /tmp/listen.py <<'PY'
import socket
server = socket.create_server(('127.0.0.1', 8090))
while True:
    one, _ = server.accept()
    while data := one.recv(65536):
        open('/tmp/got', 'ab').write(data)
PY
touch /tmp/got; /usr/bin/python3 /tmp/listen.py &
sleep 0.5
call PUT 2022-07-01/telemetry '{"schemaVersion":"2025-01-29","types":["extension"],"buffering":{"timeoutMs":25},"destination":{"protocol":"TCP","URI":"tcp://sandbox:8090"}}'`;

test('a listener that is slow, dead or never there holds nothing up, and what was dropped is counted', { skip }, async (t) => {
  const { boot } = await openEnvironments(t);
  const code = `export const handler = async ({ lines }) => {
    for (let i = 0; i < lines; i++) console.log(i + ' ' + 'x'.repeat(1000));
    return 1;
  };`;
  const absent = shellExtension(
    '',
    `call PUT 2022-07-01/telemetry '{"schemaVersion":"2022-12-13","types":${JSON.stringify(TYPES)},"buffering":{"timeoutMs":25},"destination":{"protocol":"HTTP","URI":"http://sandbox.localdomain:8099"}}'`,
  );
  const slow = pythonExtension(['function'])
    .replace('    def do_POST(self):\n', '    def do_POST(self):\n        import time; time.sleep(1)\n')
    .replace("print('T ' + json.dumps(event), flush=True)", "event['type'] == 'function' or print('T ' + json.dumps(event), flush=True)");
  const booted = await boot('node', code, { 'extensions/absent': absent, 'extensions/slow.py': slow });
  const instance = templateOf(booted).fork();
  const { end } = await invoke(instance, { lines: 2_000 }, []);
  assert.equal(end.kind, 'answered');
  const log: string[] = [];
  await until(
    () => {
      void invoke(instance, { lines: 0 }, log);
      return toldIn(log).some(({ type }) => type === 'platform.logsDropped');
    },
    () => log.join('\n').slice(0, 4_000),
  );
  const { record } = toldIn(log).find(({ type }) => type === 'platform.logsDropped')!;
  assert.ok((record as { droppedRecords: number }).droppedRecords > 1_000, JSON.stringify(record));
  instance.kill();
});

test('the Logs API tells of the same in its own words, and one extension uses one of the two', { skip }, async (t) => {
  const { boot } = await openEnvironments(t, { windDown: UNHURRIED });
  const logs = pythonExtension(['platform', 'function'])
    .replace("'/2022-07-01/telemetry'", "'/2020-08-15/logs'")
    .replace('2022-12-13', '2021-03-18')
    .replace(
      'while True:',
      `
try:
    call('PUT', '/2022-07-01/telemetry', dict(subscription, schemaVersion='2022-07-01'), mine)
except urllib.error.HTTPError as error:
    print('refused', error.code, error.read().decode(), flush=True)
while True:`,
    );
  const booted = await boot('shell', shellRuntime(), { 'extensions/logs.py': logs });
  const instance = templateOf(booted).fork();
  const { id } = await invoke(instance, {}, booted.log);
  instance.kill();
  const has = (wanted: string) => toldIn(booted.log).some(({ type }) => type === wanted);
  await until(
    () => has('platform.report'),
    () => booted.log.join('\n'),
  );
  assert.ok(
    booted.log.some((line) => /^refused 400 .*ValidationError/.test(line)),
    booted.log.join('\n'),
  );
  assert.ok(booted.log.includes('LOGS\tName: logs.py\tState: Subscribed\tTypes: [Platform, Function]'), booted.log.join('\n'));
  const of = (wanted: string) => toldIn(booted.log).find(({ type }) => type === wanted)?.record;
  assert.deepEqual(of('platform.logsSubscription'), { name: 'logs.py', state: 'Subscribed', types: ['platform', 'function'] });
  assert.deepEqual(of('platform.start'), { requestId: id, version: '$LATEST' });
  assert.deepEqual(of('platform.runtimeDone'), { requestId: id, status: 'success' });
  assert.deepEqual(of('platform.end'), { requestId: id });
  assert.deepEqual(Object.keys(of('platform.report')!), ['requestId', 'metrics']);
});
