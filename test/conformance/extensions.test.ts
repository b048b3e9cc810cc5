/** External and internal extensions, as processes in real environments. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { below } from '../../tools/processes.ts';
import {
  NODE_FUNCTION,
  PYTHON_FUNCTION,
  UNHURRIED,
  failureOf,
  invoke,
  openEnvironments,
  shellExtension,
  shellRuntime,
  skip,
  templateOf,
  until,
  pythonExtension,
  pythonOnHost,
  toldIn,
} from './extensions.testing.ts';

const functions = { node: NODE_FUNCTION, python: PYTHON_FUNCTION, shell: shellRuntime() } as const;
const RUNTIMES = ['node', 'python', 'shell'] as const;

for (const runtime of RUNTIMES) {
  test(`${runtime}: an extension begins before the function, hears of each invocation and of the end`, { skip }, async (t) => {
    const { boot } = await openEnvironments(t, { windDown: UNHURRIED });
    const init = 'echo "told $told"; echo "env $GREETING ${_HANDLER:-none} ${AWS_LAMBDA_LOG_GROUP_NAME:-none} $AWS_LAMBDA_FUNCTION_NAME"';
    const booted = await boot(runtime, functions[runtime], { 'extensions/watcher': shellExtension(undefined, init) });
    const template = templateOf(booted);
    const said = booted.log.join('\n');
    assert.ok(
      booted.log.includes(
        'told {"functionName":"tested","functionVersion":"$LATEST","handler":"index.handler","accountId":"123456789012"}',
      ),
      said,
    );
    assert.ok(booted.log.includes('env hello none none tested'), said);
    assert.ok(booted.log.includes('EXTENSION\tName: watcher\tState: Ready\tEvents: [INVOKE, SHUTDOWN]'), said);
    assert.equal(template.forks, false);
    if (runtime !== 'shell') assert.deepEqual(template.blockers, [{ kind: 'external extension', detail: 'watcher' }]);
    const log: string[] = [];
    const instance = template.fork();
    for (const number of [1, 2, 3]) {
      const { end, id } = await invoke(instance, { number }, log);
      assert.equal(end.kind, 'answered', JSON.stringify(end));
      const got = () => log.some((line) => line.startsWith('ext got') && line.includes('"eventType":"INVOKE"') && line.includes(id));
      await until(got, () => log.join('\n'));
      assert.ok(log.some((line) => line.includes('"tracing":{"type":"X-Amzn-Trace-Id","value":"Root=1-2-3"}')));
    }
    instance.kill();
    await until(
      () => hasShutdown(log, 'spindown'),
      () => log.join('\n'),
    );
  });

  test(`${runtime}: each instance has extensions of its own`, { skip }, async (t) => {
    const { boot } = await openEnvironments(t);
    const template = templateOf(await boot(runtime, functions[runtime], { 'extensions/own': shellExtension('echo "in $$: $event"') }));
    const logs: string[][] = [[], []];
    const instances = logs.map(() => template.fork());
    const ids = await Promise.all(instances.map(async (instance, i) => (await invoke(instance, {}, logs[i])).id));
    for (const [i, log] of logs.entries()) {
      await until(
        () => log.some((line) => line.includes(ids[i]!)),
        () => log.join('\n'),
      );
      assert.ok(!log.some((line) => line.includes(ids[1 - i]!)), log.join('\n'));
    }
    for (const instance of instances) instance.kill();
  });
}

const hasShutdown = (log: readonly string[], reason: string): boolean =>
  log.some((line) => line.includes('"eventType":"SHUTDOWN"') && line.includes(`"shutdownReason":"${reason}"`));

const FAILING: Readonly<Record<string, readonly [layer: Readonly<Record<string, string>>, failure: RegExp, line?: RegExp]>> = {
  'that ends before it has registered': [
    { 'extensions/early': '#!/bin/sh\necho gone\nexit 3\n' },
    /^Extension\.Crash: extension early: exit code 3$/,
    /^gone$/,
  ],
  'that ends after it has registered': [
    { 'extensions/later': shellExtension('', 'exit 0') },
    /^Extension\.Crash: extension later: exit code 0$/,
  ],
  'that never registers': [{ 'extensions/silent': '#!/bin/sh\nsleep 100\n' }, /^timedOut$/],
  'that never asks for an event': [{ 'extensions/idle': shellExtension('', 'sleep 100') }, /^timedOut$/],
  'that says that its init has failed': [
    { 'extensions/failing': shellExtension('', `call POST 2020-01-01/extension/init/error '{"errorMessage":"no room"}'; sleep 100`) },
    /^Extension\.InitError: extension failing: Own\.Type: no room$/,
    /^EXTENSION\tName: failing\tState: InitError\tEvents: \[INVOKE, SHUTDOWN\]\tError Type: Own\.Type$/,
  ],
  'that is not executable': [{ 'extensions/text': 'a text' }, /^Extension\.LaunchError: /, /permission denied/],
  'whose interpreter is not there': [{ 'extensions/wrong': '#!/no/such/thing\n' }, /^Extension\.LaunchError: /, /its interpreter is/],
  'that is one too many': [
    Object.fromEntries(Array.from({ length: 11 }, (_, i) => [`extensions/number-${i}`, shellExtension()])),
    /^Extension\.TooManyExtensions: /,
  ],
};

for (const [what, [layer, expected, line]] of Object.entries(FAILING)) {
  test(`an extension ${what} fails init`, { skip }, async (t) => {
    const { boot } = await openEnvironments(t);
    for (const runtime of RUNTIMES) {
      const initTimeoutMs = expected.source.includes('timedOut') ? 1_500 : 20_000;
      const booted = await boot(runtime, functions[runtime], layer, { initTimeoutMs });
      assert.match(failureOf(booted), expected);
      if (line)
        assert.ok(
          booted.log.some((text) => line.test(text)),
          booted.log.join('\n'),
        );
    }
  });
}

const LATER: Readonly<Record<string, readonly [body: string, failure: string]>> = {
  'ends during an invocation': ['exit 5', 'Extension.Crash'],
  'says during an invocation that it fails': ['call POST 2020-01-01/extension/exit/error "{}"; sleep 100', 'Extension.ExitError'],
};

for (const [what, [body, errorType]] of Object.entries(LATER)) {
  test(`an extension that ${what} fails it, and the environment`, { skip }, async (t) => {
    const { boot } = await openEnvironments(t);
    for (const runtime of RUNTIMES) {
      const code = runtime === 'shell' ? shellRuntime('sleep 100') : functions[runtime];
      const template = templateOf(await boot(runtime, code, { 'extensions/fails': shellExtension(body) }));
      const instance = template.fork();
      const { end } = await invoke(instance, { hang: true });
      assert.ok(end.kind === 'failed' && end.error.errorType === errorType, JSON.stringify(end));
      assert.equal(instance.alive, false);
      await instance.closed;
    }
  });
}

test('when the runtime ends its extensions hear of a failure, and when its time is up of that', { skip }, async (t) => {
  const { boot } = await openEnvironments(t, { windDown: UNHURRIED });
  const layer = { 'extensions/hears': shellExtension() };
  for (const [event, reason, timeoutMs] of [
    [{ exit: true }, 'failure', 60_000],
    [{ hang: true }, 'timeout', 100],
  ] as const) {
    for (const runtime of ['node', 'python'] as const) {
      const instance = templateOf(await boot(runtime, functions[runtime], layer)).fork();
      const log: string[] = [];
      const invoked = invoke(instance, event, log, timeoutMs);
      if (reason === 'timeout') setTimeout(() => instance.kill(), timeoutMs + 20);
      const { end } = await invoked;
      assert.equal(end.kind, 'died');
      await until(
        () => hasShutdown(log, reason),
        () => log.join('\n'),
      );
      instance.kill();
    }
  }
});

test('the caller is answered before extensions are done, and the next invocation waits for them', { skip }, async (t) => {
  const { boot } = await openEnvironments(t);
  // It is at work until it is told that the runtime is done: by then the caller has been answered.
  const slow = pythonExtension(['platform'])
    .replace('class Listener', 'told = []\nclass Listener')
    .replace("print('T ' + json.dumps(event), flush=True)", 'told.append(json.dumps(event))')
    .replace(
      "print('E ' + json.dumps(event), flush=True)",
      `
    while 'requestId' in event and not any('platform.runtimeDone' in one and event['requestId'] in one for one in told):
        time.sleep(0.005)
    print('done with ' + json.dumps(event), flush=True)`,
    );
  for (const runtime of RUNTIMES) {
    const instance = templateOf(await boot(runtime, functions[runtime], { 'extensions/slow.py': slow })).fork();
    const log: string[] = [];
    const first = await invoke(instance, { number: 1 }, log);
    assert.equal(first.end.kind, 'answered');
    const done = (id: string) => log.some((line) => line.startsWith('done with') && line.includes(id));
    assert.equal(done(first.id), false);
    await invoke(instance, { number: 2 }, log);
    assert.equal(done(first.id), true);
    instance.kill();
  }
});

test(
  "an extension that does not ask again within the function's time ends the environment, and who waits for it goes elsewhere",
  { skip },
  async (t) => {
    const { boot } = await openEnvironments(t);
    const instance = templateOf(await boot('node', NODE_FUNCTION, { 'extensions/stuck': shellExtension('sleep 100') })).fork();
    const first = await invoke(instance, {}, [], 5_000);
    assert.equal(first.end.kind, 'answered');
    const second = await invoke(instance);
    assert.equal(second.end.kind, 'notBegun');
    assert.equal(instance.alive, false);
    await instance.closed;
  },
);

test('between invocations an extension stands still as the function does', { skip }, async (t) => {
  const { boot } = await openEnvironments(t);
  // It is at work until somebody has seen that its extension is.
  const code = `import { existsSync } from 'node:fs';
    export const handler = async ({ until }) => { while (!existsSync('/var/task/' + until)) await new Promise((go) => setTimeout(go, 5)); };`;
  const booted = await boot('node', code, { 'extensions/stands-still': shellExtension() });
  const instance = templateOf(booted).fork();
  const isStopped = () => statesOf('stands-still').includes('T');
  const state = () => statesOf('stands-still');
  for (const seen of ['first', 'second']) {
    await until(isStopped, state);
    const invoked = invoke(instance, { until: seen });
    await until(() => !isStopped(), state);
    await writeFile(join(booted.codeDirectory, seen), '');
    assert.equal((await invoked).end.kind, 'answered');
  }
  await until(isStopped, state);
  instance.kill();
});

test("the API answers what comes in the wrong order, from nobody, or over its limits, in Lambda's words", { skip }, async (t) => {
  const { boot } = await openEnvironments(t);
  const own =
    'register2() { curl -sS -w " %{http_code}" -H "Lambda-Extension-Name: $1" -d "$2" "$base/2020-01-01/extension/register"; echo; }';
  const init = `${own}
    register2 "" '{}'
    register2 "$name" '{'
    register2 "$name" '{"events":["INVOKE"]}'
    register2 inner '{"events":["SHUTDOWN"]}'
    register2 inner '{"events":["OTHER"]}'
    for i in 1 2 3 4 5 6 7 8 9; do register2 "inner-$i" '{}' > /dev/null; done
    register2 inner-10 '{}'
    register2 inner-1 '{}'
    good=$id
    id=; call GET 2020-01-01/extension/event/next; echo
    id=nonsense; call GET 2020-01-01/extension/event/next; echo
    id=8a2b1c3d-0000-4000-8000-000000000000; call GET 2020-01-01/extension/event/next; echo
    id=$good
    curl -sS -w " %{http_code}" -X POST -H "Lambda-Extension-Identifier: $id" "$base/2020-01-01/extension/init/error"; echo
    call GET 2020-01-01/extension/other; echo
    call PUT 2022-07-01/telemetry '{}'; echo
    call POST 2020-01-01/extension/exit/error; sleep 100`;
  const booted = await boot('shell', shellRuntime(), { 'extensions/wrong': shellExtension('', init) });
  assert.match(failureOf(booted), /^Extension\.ExitError: extension wrong: Own\.Type$/);
  const answers = booted.log.flatMap((line) => /"errorType":"([^"]*)"\} (\d+)$/.exec(line)?.slice(1).join(' ') ?? []);
  assert.deepEqual(answers, [
    'Extension.InvalidExtensionName 403',
    'InvalidRequestFormat 403',
    'Extension.InvalidExtensionState 403',
    'Extension.InvalidEventType 403',
    'Extension.InvalidEventType 403',
    'Extension.TooManyExtensions 403',
    'Extension.InvalidExtensionState 403',
    'Extension.MissingExtensionIdentifier 403',
    'Extension.InvalidExtensionIdentifier 403',
    'Extension.UnknownExtensionIdentifier 403',
    'Extension.MissingHeader 403',
    'NotFound 404',
    'ValidationError 400',
  ]);
});

test('a runtime is told to end before its extensions are, and has its time for that', { skip }, async (t) => {
  // A shell that waits for a command hears of a signal only after that: it may need all of its time.
  const { boot } = await openEnvironments(t, { windDown: { ...UNHURRIED, runtime: 300 } });
  const runtime = shellRuntime()
    .replace('while true', "trap 'echo runtime told; exit 0' TERM\nwhile true")
    .replaceAll('$(curl', '$(exec curl');
  const booted = await boot('shell', runtime, { 'extensions/last': shellExtension() });
  const instance = templateOf(booted).fork();
  await invoke(instance, {}, booted.log);
  instance.kill();
  await until(
    () => hasShutdown(booted.log, 'spindown'),
    () => booted.log.join('\n'),
  );
});

for (const runtime of RUNTIMES) {
  test(`spawn, ${runtime}: extensions run beside a function without isolation too`, { skip }, async (t) => {
    const { boot } = await openEnvironments(t, { driver: 'spawn', windDown: UNHURRIED });
    const layer = {
      'extensions/beside': shellExtension(),
      'extensions/told.py': pythonOnHost(['platform']),
    };
    const booted = await boot(runtime, functions[runtime], layer);
    const instances = [templateOf(booted).fork()];
    const { log } = booted;
    const { id } = await invoke(instances[0]!, {}, log);
    await until(
      () => log.some((line) => line.startsWith('ext got') && line.includes(id)),
      () => log.join('\n'),
    );
    for (const instance of instances) instance.kill();
    await until(
      () => hasShutdown(log, 'spindown') && toldIn(log).some(({ type }) => type === 'platform.report'),
      () => log.join('\n'),
    );
    assert.match(failureOf(await boot(runtime, functions[runtime], { 'extensions/early': '#!/bin/sh\nexit 3\n' })), /^Extension\.Crash: /);
    const text = await boot(runtime, functions[runtime], { 'extensions/text': 'a text' });
    assert.match(failureOf(text), /^Extension\.LaunchError: /);
  });
}

/** Of the extension of that name, in whatever instance, one letter for each of its processes: T, it is stopped. */
const statesOf = (name: string): string =>
  below(process.pid)
    .filter(({ command }) => command.endsWith(`/extensions/${name}`))
    .map(({ state }) => state)
    .join('');

test("a function on the host's network has its extensions and their APIs too", { skip }, async (t) => {
  const { boot } = await openEnvironments(t, { windDown: UNHURRIED });
  const layer = {
    'extensions/told.py': pythonOnHost(['platform']),
  };
  for (const runtime of RUNTIMES) {
    const booted = await boot(runtime, functions[runtime], layer, { network: { kind: 'host' } });
    const instance = templateOf(booted).fork();
    const { log } = booted;
    assert.equal((await invoke(instance, {}, log)).end.kind, 'answered');
    instance.kill();
    await until(
      () => toldIn(log).some(({ type }) => type === 'platform.report'),
      () => log.join('\n'),
    );
    await until(
      () => log.some((line) => line.startsWith('E ') && line.includes('SHUTDOWN')),
      () => log.join('\n'),
    );
  }
});

test('a runtime that stands still is told to end, and does what it has to', { skip }, async (t) => {
  const { boot } = await openEnvironments(t, { windDown: UNHURRIED });
  const codes = {
    node: `process.on('SIGTERM', () => { console.log('told to end'); process.exit(0); });
      export const handler = async () => 1;`,
    python: `
import atexit, signal, sys
def end(number, frame):
    print('told to end')
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
atexit.register(lambda: print('at its end', end=''))
def handler(event, context):
    return 1
`,
  };
  for (const runtime of ['node', 'python'] as const) {
    const booted = await boot(runtime, codes[runtime], { 'extensions/stood-still': shellExtension() });
    const instance = templateOf(booted).fork();
    await invoke(instance, {}, booted.log);
    await until(
      () => statesOf('stood-still').includes('T'),
      () => statesOf('stood-still'),
    );
    instance.kill();
    for (const said of runtime === 'node' ? ['told to end'] : ['told to end', 'at its end']) {
      await until(
        () => booted.log.some((line) => line.includes(said)),
        () => booted.log.join('\n'),
      );
    }
    await until(
      () => hasShutdown(booted.log, 'spindown'),
      () => booted.log.join('\n'),
    );
  }
});
