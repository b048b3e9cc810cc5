/** What `hearth init` writes. */
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
};
