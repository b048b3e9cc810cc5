/** A real platform for tests of containment, leaks and walls: functions made and called through the SDK, its processes looked at from outside. */
import assert from 'node:assert/strict';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { TestContext } from 'node:test';
import {
  CreateFunctionCommand,
  CreateFunctionUrlConfigCommand,
  DeleteFunctionCommand,
  GetFunctionConfigurationCommand,
  InvokeCommand,
  LambdaClient,
  UpdateFunctionCodeCommand,
} from '@aws-sdk/client-lambda';
import type { CreateFunctionCommandInput } from '@aws-sdk/client-lambda';
import { closeAfter } from '../closing.ts';
import { zipBytes } from '../../src/adapters/packages/zip-bytes.testing.ts';
import { startPlatform } from './cli-platform.ts';
import type { Platform } from './cli-platform.ts';
import type { User } from './users.ts';

export const ROLE = 'arn:aws:iam::000000000000:role/any';

/** What came back from an invocation. */
export type Answer = {
  /** The payload as JSON. */
  readonly value: unknown;
  /** The payload when the function failed. */
  readonly error?: { readonly errorType: string; readonly errorMessage: string; readonly trace?: readonly string[] };
  /** The last 4 KiB of the log. */
  readonly log: string;
};

/** An ES module, or files by name, of which `index.mjs` is the function. */
export type Source = string | Readonly<Record<string, string>>;

export type Isolated = {
  readonly platform: Platform;
  readonly client: LambdaClient;
  /** Makes a function of one ES module, or of several files. */
  create(name: string, source: Source, settings?: Partial<CreateFunctionCommandInput>): Promise<void>;
  update(name: string, source: Source): Promise<void>;
  remove(name: string): Promise<void>;
  invoke(name: string, event?: unknown): Promise<Answer>;
  /** Makes a function URL and gives it in the form that needs no name resolution. */
  url(name: string): Promise<string>;
  /** Fails unless the platform is the same process still, and says that it is well. */
  healthy(): Promise<void>;
};

/** Undefined, and the test is skipped with the reason, where this machine can't isolate functions. */
export async function startIsolated(t: TestContext, data?: string, user?: User): Promise<Isolated | undefined> {
  if (process.platform !== 'linux') {
    t.skip('sandboxes need Linux');
    return undefined;
  }
  const platform = await startPlatform(t, [], data, user);
  const info = (await (await fetch(`${platform.url}/_hearth/info`)).json()) as { driver: string };
  if (info.driver !== 'linux') {
    t.skip(`this machine runs functions by the driver "${info.driver}"; "hearth doctor" says why`);
    return undefined;
  }
  return connect(t, platform);
}

export function connect(t: TestContext, platform: Platform): Isolated {
  const client = new LambdaClient({
    endpoint: platform.url,
    region: 'us-east-1',
    credentials: { accessKeyId: 'any', secretAccessKey: 'any' },
    maxAttempts: 1,
  });
  closeAfter(t, () => client.destroy());
  return {
    platform,
    client,
    async create(name, source, settings = {}) {
      await client.send(new CreateFunctionCommand({ ...functionOf(name, zipOf(source)), ...settings }));
    },
    async update(name, source) {
      await client.send(new UpdateFunctionCodeCommand({ FunctionName: name, ZipFile: zipOf(source) }));
    },
    async remove(name) {
      await client.send(new DeleteFunctionCommand({ FunctionName: name }));
    },
    async invoke(name, event = {}) {
      const { Payload, FunctionError, LogResult } = await client.send(
        new InvokeCommand({ FunctionName: name, Payload: JSON.stringify(event), LogType: 'Tail' }),
      );
      const value: unknown = JSON.parse(Payload!.transformToString());
      const log = Buffer.from(LogResult ?? '', 'base64').toString();
      return FunctionError === undefined ? { value, log } : { value, log, error: value as NonNullable<Answer['error']> };
    },
    async url(name) {
      const { FunctionUrl } = await client.send(new CreateFunctionUrlConfigCommand({ FunctionName: name, AuthType: 'NONE' }));
      return `${platform.url}/_url/${new URL(FunctionUrl!).hostname.split('.')[0]}`;
    },
    async healthy() {
      assert.equal(platform.process.exitCode ?? platform.process.signalCode, null, 'the platform has ended');
      assert.equal((await fetch(`${platform.url}/_hearth/health`)).status, 200);
    },
  };
}

/** With more time than a call takes on any machine: who tests a timeout says so. */
export function functionOf(name: string, zip: Uint8Array): CreateFunctionCommandInput {
  return { FunctionName: name, Runtime: 'nodejs24.x', Handler: 'index.handler', Role: ROLE, Code: { ZipFile: zip }, Timeout: 60 };
}

export const zipOf = (source: Source): Buffer =>
  zipBytes(
    Object.entries(typeof source === 'string' ? { 'index.mjs': source } : source).map(([name, content]) => ({
      name,
      content,
      ...(name === 'bootstrap' && { mode: 0o755 }),
    })),
  );

export type Neighbour = {
  /** How often it has answered so far. */
  readonly answers: number;
  /** Stops calling. Fails when an answer was ever wrong, or did not come. */
  stop(): Promise<void>;
};

/** A function beside the one under test that is called all the while, one call after the other. */
export async function startNeighbour(isolated: Isolated, name = 'neighbour'): Promise<Neighbour> {
  const source = `export const handler = async ({ n }) => ({ twice: n * 2, pid: process.pid > 0, name: process.env.AWS_LAMBDA_FUNCTION_NAME });`;
  await isolated.create(name, source);
  await isolated.invoke(name, { n: 0 });
  const stopping = new AbortController();
  let answers = 0;
  const run = async () => {
    for (let n = 1; !stopping.signal.aborted; n++) {
      const { value } = await isolated.invoke(name, { n });
      assert.deepEqual(value, { twice: n * 2, pid: true, name }, 'the neighbour answers as ever');
      answers++;
      await wait(5);
    }
  };
  const running = run();
  // Heard of by `stop`.
  running.catch(() => undefined);
  return {
    get answers() {
      return answers;
    },
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

/** Asks again until it holds, at most for so long; then says what was seen last. */
export async function eventually(check: () => void | Promise<void>, limitMs = 60_000): Promise<void> {
  for (const endMs = performance.now() + limitMs; ;) {
    try {
      return await check();
    } catch (error) {
      if (performance.now() > endMs) throw error;
    }
    await wait(50);
  }
}

/** Lays an empty file beside the code of each of its functions: what a function in a sandbox waits for. */
export function layBesideCode({ data }: Platform, file: string): void {
  const code = join(data, 'code');
  for (const name of readdirSync(code)) if (/^[0-9a-f]{64}$/.test(name)) writeFileSync(join(code, name, file), '');
}

export async function configurationOf({ client }: Isolated, name: string): Promise<object> {
  const { $metadata: _, ...configuration } = await client.send(new GetFunctionConfigurationCommand({ FunctionName: name }));
  return configuration;
}
