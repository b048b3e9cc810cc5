import { imageFiles } from './image-template.ts';

/** What `hearth init` writes. A file that begins with `#!` can be executed. */
export type Template = { readonly summary: string; readonly files: (name: string) => Readonly<Record<string, string>> };

const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

const packageJson = (name: string): string =>
  json({ name: name.toLowerCase(), private: true, type: 'module', scripts: { deploy: 'hearth deploy' } });

const NODE = `type Event = {
  readonly name?: string;
  /** There when the function is called by its URL: ?name=Ada */
  readonly queryStringParameters?: { readonly name?: string };
};

export async function handler(event: Event) {
  const name = event.name ?? event.queryStringParameters?.name ?? 'world';
  console.log('greeting', name);
  return { message: \`Hello, \${name}!\` };
}
`;

const STREAM = `import type { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

/** Given by the runtime, as on AWS Lambda. */
declare const awslambda: {
  streamifyResponse(handler: (event: unknown, stream: Writable) => Promise<void>): unknown;
  HttpResponseStream: { from(stream: Writable, head: { statusCode: number; headers: Record<string, string> }): Writable };
};

export const handler = awslambda.streamifyResponse(async (_event, stream) => {
  const answer = awslambda.HttpResponseStream.from(stream, { statusCode: 200, headers: { 'content-type': 'text/plain' } });
  for (const count of [3, 2, 1]) {
    answer.write(\`\${count}\\n\`);
    await sleep(200);
  }
  answer.end('done\\n');
});
`;

const EDGE = `type Env = { readonly GREETING?: string };
type Context = { waitUntil(promise: Promise<unknown>): void };

export default {
  async fetch(request: Request, env: Env, ctx: Context): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === '/countdown') return new Response(countdown(), { headers: { 'content-type': 'text/plain' } });
    if (pathname !== '/') return new Response('nothing is here\\n', { status: 404 });
    const name = searchParams.get('name') ?? 'world';
    // The client does not wait for this.
    ctx.waitUntil(remember(name));
    return Response.json({ message: \`\${env.GREETING ?? 'Hello'}, \${name}!\` });
  },
};

async function remember(name: string): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 10));
  console.log('greeted', name);
}

function countdown(): ReadableStream {
  return ReadableStream.from(lines()).pipeThrough(new TextEncoderStream());
}

async function* lines() {
  for (const count of [3, 2, 1]) {
    yield \`\${count}\\n\`;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  yield 'done\\n';
}
`;

const SHELL = `#!/bin/sh
# Asks the Lambda Runtime API for events with curl, and answers each.
set -eu
api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation"
while true; do
  event=$(curl -sS -D /tmp/head "$api/next")
  id=$(sed -n 's/^lambda-runtime-aws-request-id: *\\([^[:space:]]*\\).*/\\1/Ip' /tmp/head)
  echo "event of \${#event} bytes"
  curl -sS -o /dev/null --data-binary "{\\"message\\":\\"Hello from the shell\\",\\"event\\":$event}" "$api/$id/response"
done
`;

const PYTHON = `def handler(event, context):
    # By its URL the name is in the query: ?name=Ada
    name = event.get('name') or event.get('queryStringParameters', {}).get('name', 'world')
    print('greeting', name)
    return {'message': f'Hello, {name}!'}
`;

const WASM = `;; Answers with its event. See docs/wasm.md for modules from C, Rust or AssemblyScript.
(module
  (memory (export "memory") 1)

  ;; Where the event is put: the module has room for 64 KiB, and asks for more.
  (func (export "allocate") (param $length i32) (result i32)
    (block $enough
      (br_if $enough (i32.le_u (local.get $length) (i32.const 65536)))
      (br_if $enough (i32.ne (i32.const -1) (memory.grow (i32.shr_u (local.get $length) (i32.const 16)))))
      unreachable)
    (i32.const 0))

  ;; Where the answer lies, and how long it is: address << 32 | length.
  (func (export "handle") (param $address i32) (param $length i32) (result i64)
    (i64.or
      (i64.shl (i64.extend_i32_u (local.get $address)) (i64.const 32))
      (i64.extend_i32_u (local.get $length)))))
`;

export const TEMPLATES: Readonly<Record<string, Template>> = {
  node: {
    summary: 'a TypeScript function that answers with JSON',
    files: (name) => ({
      'hearth.json': json({ name, runtime: 'nodejs26.x', entry: 'index.ts', memory: 128, timeout: 3 }),
      'index.ts': NODE,
      'package.json': packageJson(name),
    }),
  },
  stream: {
    summary: 'a TypeScript function that streams its answer',
    files: (name) => ({
      'hearth.json': json({
        name,
        runtime: 'nodejs26.x',
        entry: 'index.ts',
        memory: 128,
        timeout: 10,
        url: { invokeMode: 'RESPONSE_STREAM' },
      }),
      'index.ts': STREAM,
      'package.json': packageJson(name),
    }),
  },
  edge: {
    summary: 'a TypeScript module that takes a Request and answers with a Response',
    files: (name) => ({
      'hearth.json': json({
        name,
        runtime: 'nodejs26.x',
        entry: 'index.ts',
        handler: 'default',
        memory: 128,
        timeout: 10,
        environment: { GREETING: 'Hello' },
        url: { invokeMode: 'RESPONSE_STREAM' },
      }),
      'index.ts': EDGE,
      'package.json': packageJson(name),
    }),
  },
  shell: {
    summary: 'a shell script that is its own runtime: the shortest custom runtime there is',
    files: (name) => ({
      'hearth.json': json({ name, runtime: 'provided.al2023', memory: 128, timeout: 3 }),
      bootstrap: SHELL,
    }),
  },
  python: {
    summary: 'a Python function that answers with JSON',
    files: (name) => ({
      'hearth.json': json({ name, runtime: 'python3.12', memory: 128, timeout: 3 }),
      'index.py': PYTHON,
    }),
  },
  wasm: {
    summary: 'a WebAssembly module, written as text, that answers with its event',
    files: (name) => ({
      'hearth.json': json({ name, runtime: 'wasm', include: ['main.wat'], memory: 128, timeout: 3 }),
      'main.wat': WASM,
    }),
  },
  image: {
    summary: 'a container image with a web server in C, made without container tools',
    files: imageFiles,
  },
};
