/** A real Hearth, started by its own command with an empty data directory, and spoken to through the Lambda API. */
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { ZipFile } from 'yazl';
import { firstLine, removeDirectory, startChild, stopChild, temporaryDirectory } from './children.ts';
import { expectStatus, openClient } from './client.ts';
import type { Answer, Client } from './client.ts';

export type Hearth = {
  readonly url: string;
  readonly pid: number;
  /** From starting the process to its saying that it is ready. */
  readonly readyMs: number;
  /** `graceMs`: after so long it is killed, with which what it has left of control groups stays. */
  readonly stop: (graceMs?: number) => Promise<void>;
};

const COMMAND = join(import.meta.dirname, '../bin/hearth.mjs');

export type HearthOptions = {
  /** Invocations that it runs at a time, where the default is too few. */
  readonly concurrency?: number;
  /** What instances and templates may hold, and who goes first where that does not suffice; as `hearth up` has it. */
  readonly memory?: string;
  readonly evict?: string;
};

export async function startHearth(options: HearthOptions = {}): Promise<Hearth> {
  const directory = await temporaryDirectory();
  const startedMs = performance.now();
  const more = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const child = startChild(process.execPath, [COMMAND, 'up', '--port', '0', '--data', join(directory, 'data'), '--json', ...more], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  // Its log is of interest only when it fails; read all the time, so that it never waits for us.
  let log = '';
  child.stderr?.on('data', (chunk: Buffer) => (log = (log + chunk.toString()).slice(-10_000)));
  const url = await firstLine(child, 'hearth up', (line) => {
    if (!line.startsWith('{')) return undefined;
    const said = JSON.parse(line) as { readonly ready?: boolean; readonly url?: string };
    return said.ready === true ? said.url : undefined;
  }).catch((error: unknown) => {
    throw new Error(`Hearth did not start:\n${log}`, { cause: error });
  });
  const readyMs = performance.now() - startedMs;
  return {
    url,
    pid: child.pid!,
    readyMs,
    async stop(graceMs) {
      await stopChild(child, graceMs);
      await removeDirectory(directory);
    },
  };
}

/** One for a row, and a client of it. `graceMs`: as `stop` has it. */
export async function withHearth<T>(use: (client: Client, hearth: Hearth) => Promise<T>, graceMs?: number): Promise<T> {
  const hearth = await startHearth();
  const client = openClient();
  try {
    return await use(client, hearth);
  } finally {
    client.close();
    await hearth.stop(graceMs);
  }
}

export type NewFunction = {
  readonly name: string;
  readonly timeoutSeconds?: number;
} & (
  | { readonly source: string }
  | {
      readonly runtime: string;
      readonly files: readonly { readonly path: string; readonly content: Buffer; readonly mode: number }[];
      readonly handler?: string;
    }
);

/** Every client signs; what it signs with doesn't matter to a server on loopback without --auth. */
export const HEADERS = {
  authorization: 'AWS4-HMAC-SHA256 Credential=bench/20260101/us-east-1/lambda/aws4_request, SignedHeaders=host, Signature=00',
  'content-type': 'application/json',
};

/** Creates a function, of Node from one file, and resolves as soon as the API has answered, whatever the function's state is then. */
export async function deploy(client: Client, hearth: Hearth, options: NewFunction): Promise<void> {
  const zip = new ZipFile();
  if ('source' in options) zip.addBuffer(Buffer.from(options.source), 'index.mjs');
  else for (const { path, content, mode } of options.files) zip.addBuffer(content, path, { mode: 0o100000 | mode });
  zip.end();
  const body = JSON.stringify({
    FunctionName: options.name,
    Runtime: 'source' in options ? 'nodejs24.x' : options.runtime,
    Role: 'arn:aws:iam::000000000000:role/bench',
    Handler: 'source' in options ? 'index.handler' : (options.handler ?? 'handler'),
    Timeout: options.timeoutSeconds ?? 30,
    Code: { ZipFile: (await buffer(zip.outputStream)).toString('base64') },
  });
  const answer = await client.call({ url: `${hearth.url}/2015-03-31/functions`, method: 'POST', headers: HEADERS, body });
  expectStatus(answer, `CreateFunction ${options.name}`, 201);
}

export async function waitUntilActive(client: Client, hearth: Hearth, name: string): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    const answer = await client.call({ url: `${hearth.url}/2015-03-31/functions/${name}/configuration`, headers: HEADERS });
    const { State } = JSON.parse(expectStatus(answer, `GetFunctionConfiguration ${name}`, 200).body.toString()) as {
      readonly State: string;
    };
    if (State === 'Active') return;
    if (State === 'Failed') throw new Error(`${name} failed to become active: ${answer.body.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`${name} did not become active`);
}

export async function remove(client: Client, hearth: Hearth, name: string): Promise<void> {
  const answer = await client.call({ url: `${hearth.url}/2015-03-31/functions/${name}`, method: 'DELETE', headers: HEADERS });
  expectStatus(answer, `DeleteFunction ${name}`, 204);
}

/** The function's own URL as the address to connect to and the host name to ask for. */
export async function createUrl(
  client: Client,
  hearth: Hearth,
  name: string,
  invokeMode: 'BUFFERED' | 'RESPONSE_STREAM' = 'BUFFERED',
): Promise<{ readonly url: string; readonly host: string }> {
  const answer = await client.call({
    url: `${hearth.url}/2021-10-31/functions/${name}/url`,
    method: 'POST',
    headers: HEADERS,
    body: JSON.stringify({ AuthType: 'NONE', InvokeMode: invokeMode }),
  });
  const { FunctionUrl } = JSON.parse(expectStatus(answer, `CreateFunctionUrlConfig ${name}`, 201).body.toString()) as {
    readonly FunctionUrl: string;
  };
  return { url: `${hearth.url}/`, host: new URL(FunctionUrl).host };
}

/** Calls Invoke, and takes whatever comes. */
export async function tryInvoke(client: Client, hearth: Hearth, name: string, event: unknown): Promise<Answer> {
  const url = `${hearth.url}/2015-03-31/functions/${name}/invocations`;
  return await client.call({ url, method: 'POST', headers: HEADERS, body: JSON.stringify(event) });
}

/** Calls Invoke; throws when the function failed. The name leads: the same call for every function. */
export async function invoke(client: Client, hearth: Hearth, name: string, event: unknown): Promise<Answer> {
  const answer = await tryInvoke(client, hearth, name, event);
  expectStatus(answer, `Invoke ${name}`, 200);
  if (answer.headers.some((header) => header.toLowerCase() === 'x-amz-function-error')) {
    throw new Error(`${name} failed: ${answer.body.toString()}`);
  }
  return answer;
}
