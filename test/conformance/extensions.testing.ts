/** Functions with extensions, from source, in real environments of either driver. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import type { BootResult, Instance, InvocationEnd, SandboxSpec, Template } from '../../src/ports/mod.ts';
import type { LinuxOptions } from '../../src/adapters/linux/mod.ts';
import { openDriver } from './drivers.testing.ts';
import type { Driver } from './drivers.testing.ts';

export const missing = (...commands: readonly string[]): string | false => {
  const absent = commands.find((command) => spawnSync('sh', ['-c', `PATH=/usr/bin:/bin command -v ${command}`]).status !== 0);
  return absent === undefined ? false : `there is no ${absent}`;
};

export const skip = process.platform === 'linux' ? missing('curl', 'python3') : 'the fork ladder needs Linux';

const RUNTIMES = {
  node: { name: 'nodejs26.x', file: 'index.mjs' },
  python: { name: 'python3.12', file: 'index.py' },
  shell: { name: 'provided.al2023', file: 'bootstrap' },
} as const;

export type Files = Readonly<Record<string, string>>;
export type Booted = BootResult & { readonly log: string[]; readonly codeDirectory: string };

export type Environments = {
  /** `layer`: files of a layer, each executable. */
  boot(runtime: keyof typeof RUNTIMES, code: string, layer: Files, more?: Partial<SandboxSpec>): Promise<Booted>;
};

/** Times to end in which all that is to be done is done on any machine: for what ends by itself, and is to be heard. */
export const UNHURRIED = { external: 60_000, internal: 60_000, runtime: 60_000 };

export async function openEnvironments(
  t: TestContext,
  { driver = 'linux', windDown }: Pick<LinuxOptions, 'windDown'> & { readonly driver?: Driver } = {},
): Promise<Environments> {
  const { sandboxes, newPackage } = await openDriver(t, driver, { windDown });
  const make = async (files: Files): Promise<string> => {
    const made = await newPackage();
    for (const [name, content] of Object.entries(files)) {
      await mkdir(dirname(join(made, name)), { recursive: true, mode: 0o755 });
      await writeFile(join(made, name), content);
      await chmod(join(made, name), content.startsWith('#!') ? 0o755 : 0o644);
    }
    return made;
  };
  return {
    async boot(runtime, code, layer, more = {}) {
      const { name, file } = RUNTIMES[runtime];
      const codeDirectory = await make({ [file]: code });
      const layerDirectories = [await make(layer)];
      const log: string[] = [];
      const environment = {
        PATH: '/usr/local/bin:/usr/bin:/bin',
        AWS_LAMBDA_FUNCTION_NAME: 'tested',
        AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
        AWS_LAMBDA_LOG_GROUP_NAME: '/aws/lambda/tested',
        _HANDLER: 'index.handler',
        GREETING: 'hello',
        ...more.environment,
      };
      const fixed = {
        label: 'test',
        runtime: name,
        handler: 'index.handler',
        memoryMiB: 256,
        tmpMiB: 512,
        initTimeoutMs: 60_000,
        concurrency: 1,
      };
      const spec: SandboxSpec = { ...fixed, codeDirectory, layerDirectories, accountId: '123456789012', ...more, environment };
      return { ...(await sandboxes.boot(spec, { log: (text) => void log.push(text) })), log, codeDirectory };
    },
  };
}

export function templateOf(booted: Booted): Template {
  assert.ok(booted.ok, `${JSON.stringify(booted)} ${booted.log.join('\n')}`);
  return booted.template;
}

export function failureOf(booted: Booted): string {
  assert.ok(!booted.ok, 'it booted');
  const { failure } = booted;
  return failure.kind === 'failed' ? `${failure.error.errorType}: ${failure.error.errorMessage}` : failure.kind;
}

export type Invoked = { readonly id: string; readonly end: InvocationEnd; readonly value: unknown };

let calls = 0;

export function invoke(instance: Instance, event: unknown = {}, log: string[] = [], timeoutMs = 60_000): Promise<Invoked> {
  const id = `8a2b1c3d-0000-4000-8000-${String(++calls).padStart(12, '0')}`;
  instance.onLog = (text) => void log.push(text);
  return new Promise((resolve) => {
    const head = {
      id,
      deadlineMs: Date.now() + timeoutMs,
      arn: 'arn:aws:lambda:us-east-1:123456789012:function:tested',
      trace: 'Root=1-2-3',
    };
    instance.invoke(head, JSON.stringify(event), {
      log: (text) => void log.push(text),
      streamHead() {},
      streamChunk() {},
      end: (end) => resolve({ id, end, value: end.kind === 'answered' ? (JSON.parse(end.payload.toString()) as unknown) : undefined }),
    });
  });
}

/** Looks until it is so. */
export async function until(condition: () => boolean, what: () => string): Promise<void> {
  for (let looks = 0; !condition(); looks++) {
    assert.ok(looks < 6_000, what());
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** A runtime in the shell; `body` has the event as $event and the way to answer it as $answer. */
export const shellRuntime = (
  body = 'curl -sS -o /dev/null -d "{\\"event\\":$event,\\"pid\\":$$}" "$answer/response"',
  init = '',
): string => `#!/bin/sh
api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime"
${init}
head=$(mktemp)
while true; do
  event=$(curl -sS -D "$head" "$api/invocation/next")
  id=$(sed -n 's/^lambda-runtime-aws-request-id: *\\([^[:space:]]*\\).*/\\1/Ip' "$head")
  answer="$api/invocation/$id"
  ${body}
done
`;

/** An extension in the shell; `body` has the event as $event, `call METHOD PATH [BODY]` talks to the API and prints status and body. */
export const shellExtension = (body = 'echo "ext got $event"', init = '', events = '"INVOKE","SHUTDOWN"'): string => `#!/bin/sh
base="http://$AWS_LAMBDA_RUNTIME_API"
name=$(basename "$0")
head=$(mktemp)
call() { curl -sS -w ' %{http_code}' -X "$1" -H "Lambda-Extension-Identifier: $id" -H 'Lambda-Extension-Function-Error-Type: Own.Type' -d "$3" "$base/$2"; }
register() { curl -sS -D "$head" -H "Lambda-Extension-Name: $name" -H 'Lambda-Extension-Accept-Feature: accountId' -d "{\\"events\\":[${events.replaceAll('"', '\\"')}]}" "$base/2020-01-01/extension/register"; }
told=$(register)
id=$(sed -n 's/^lambda-extension-identifier: *\\([^[:space:]]*\\).*/\\1/Ip' "$head")
${init}
while true; do
  event=$(curl -sS -H "Lambda-Extension-Identifier: $id" "$base/2020-01-01/extension/event/next")
  ${body}
  case $event in *SHUTDOWN*) exit 0;; esac
done
`;

export const NODE_FUNCTION = `
console.log('init of the function');
export const handler = async (event) => {
  console.log('called with ' + JSON.stringify(event));
  if (event.fail) throw new TypeError('as asked');
  if (event.exit) process.exit(7);
  if (event.hang) await new Promise(() => setInterval(() => {}, 1000));
  return { pid: process.pid, api: process.env.AWS_LAMBDA_RUNTIME_API };
};
`;

/** The same in Python. */
export const PYTHON_FUNCTION = `
import json, os, time
print('init of the function')
def handler(event, context):
    print('called with ' + json.dumps(event, separators=(',', ':')))
    if event.get('fail'):
        raise TypeError('as asked')
    if event.get('exit'):
        os._exit(7)
    if event.get('hang'):
        time.sleep(100)
    return {'pid': os.getpid(), 'api': os.environ.get('AWS_LAMBDA_RUNTIME_API')}
`;

/**
 * An extension in Python that prints each event that it gets, and all telemetry by HTTP, as lines that begin with T. `types`: of telemetry. Where it
 * is told of invocations, it ends when it has been told of all; where not, when it has got a line of the function for each.
 */
export const pythonExtension = (types: readonly string[], more: object = {}): string => `#!/usr/bin/python3
import http.server, json, os, sys, threading, time, urllib.request
base = 'http://' + os.environ['AWS_LAMBDA_RUNTIME_API']
name = os.path.basename(sys.argv[0])
invoked = reported = 0
class Listener(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        global reported
        for event in json.loads(self.rfile.read(int(self.headers['content-length']))):
            print('T ' + json.dumps(event), flush=True)
            reported += event['type'] == '${TOLD_OF_EACH(types)}'
        self.send_response(200)
        self.send_header('content-length', '0')
        self.end_headers()
    def log_message(self, *_):
        pass
server = http.server.ThreadingHTTPServer(('sandbox.localdomain', 8080), Listener)
threading.Thread(target=server.serve_forever, daemon=True).start()
def call(method, path, body=None, headers={}):
    request = urllib.request.Request(base + path, method=method, data=None if body is None else json.dumps(body).encode(), headers=headers)
    with urllib.request.urlopen(request) as answer:
        return answer.headers, json.load(answer)
headers, _ = call('POST', '/2020-01-01/extension/register', {'events': ['INVOKE', 'SHUTDOWN']}, {'Lambda-Extension-Name': name})
mine = {'Lambda-Extension-Identifier': headers['Lambda-Extension-Identifier']}
subscription = {'schemaVersion': '2022-12-13', 'types': ${JSON.stringify(types)}, 'buffering': {'timeoutMs': 25},
    'destination': {'protocol': 'HTTP', 'URI': 'http://sandbox.localdomain:8080/told?a=b'}}
subscription.update(${JSON.stringify(more)})
print('subscribed', call('PUT', '/2022-07-01/telemetry', subscription, mine)[1], flush=True)
while True:
    _, event = call('GET', '/2020-01-01/extension/event/next', None, mine)
    print('E ' + json.dumps(event), flush=True)
    invoked += event['eventType'] == 'INVOKE'
    if event['eventType'] == 'SHUTDOWN':
        while reported < invoked: time.sleep(0.01)
        sys.exit(0)
`;

const TOLD_OF_EACH = (types: readonly string[]): string => (types.includes('platform') ? 'platform.report' : 'function');

/** The same where it has no network of its own: at a port that is free there. */
export const pythonOnHost = (types: readonly string[]): string =>
  pythonExtension(types)
    .replace("('sandbox.localdomain', 8080)", "('127.0.0.1', 0)")
    .replace("'http://sandbox.localdomain:8080/told?a=b'", "'http://localhost:%d/told' % server.server_port");

/** In Node, by TCP, to the same end. */
export const nodeExtension = (types: readonly string[]): string => `#!/var/lang/bin/node
const { createServer } = require('node:net');
const { createInterface } = require('node:readline');
const base = 'http://' + process.env.AWS_LAMBDA_RUNTIME_API;
const call = (method, path, headers, body) => fetch(base + path, { method, headers, body: body && JSON.stringify(body) });
let invoked = 0, reported = 0;
createServer((socket) => createInterface(socket).on('line', (line) => {
  console.log('T ' + line);
  reported += JSON.parse(line).type === '${TOLD_OF_EACH(types)}';
})).listen(8081, '127.0.0.1', async () => {
  const registered = await call('POST', '/2020-01-01/extension/register', { 'Lambda-Extension-Name': 'tcp.js' }, { events: ['INVOKE', 'SHUTDOWN'] });
  const mine = { 'Lambda-Extension-Identifier': registered.headers.get('lambda-extension-identifier') };
  const destination = { protocol: 'TCP', port: 8081 };
  const subscription = { schemaVersion: '2022-07-01', types: ${JSON.stringify(types)}, destination, buffering: { timeoutMs: 25 } };
  console.log('subscribed ' + (await (await call('PUT', '/2022-07-01/telemetry', mine, subscription)).text()));
  for (;;) {
    const event = await (await call('GET', '/2020-01-01/extension/event/next', mine)).json();
    console.log('E ' + JSON.stringify(event));
    invoked += event.eventType === 'INVOKE';
    if (event.eventType === 'SHUTDOWN') setInterval(() => reported < invoked || process.exit(0), 10);
  }
});
`;

export type Told = { readonly time: string; readonly type: string; readonly record: never };

/** The telemetry in a log, in order. */
export const toldIn = (log: readonly string[]): readonly Told[] =>
  log.flatMap((line) => (line.startsWith('T ') ? [JSON.parse(line.slice(2)) as Told] : []));
