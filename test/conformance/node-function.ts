import assert from 'node:assert/strict';
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { closeAfter } from '../closing.ts';
import { temporaryDirectory } from '../temporary.ts';
import { silentLog, systemClock, systemRandom } from '../../src/kernel/mod.ts';
import type { Exit, Flow, Instance, InvocationAnswer, InvocationEnd, SandboxSpec, Template } from '../../src/ports/mod.ts';
import { FormEvent } from '../../src/protocol/mod.ts';
import type { FunctionError, InvokeHead, StreamHead } from '../../src/protocol/mod.ts';
import { SpawnSandboxes } from '../../src/adapters/spawn/mod.ts';

/** A function's files, and how it is configured. */
export type FunctionUnderTest = {
  readonly files: Readonly<Record<string, string>>;
  readonly runtime?: string;
  readonly handler?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly concurrency?: number;
  readonly memoryMiB?: number;
  readonly initTimeoutMs?: number;
  readonly layers?: readonly Readonly<Record<string, string>>[];
};

export type Answer = {
  readonly end: InvocationEnd['kind'];
  /** It was answered so, and has gone on. */
  readonly early?: InvocationAnswer['kind'];
  readonly value?: unknown;
  readonly error?: FunctionError;
  readonly exit?: Exit;
  readonly head?: StreamHead;
  readonly body: Buffer;
  /** In how many pieces it came. */
  readonly chunks: number;
  readonly logs: readonly string[];
  readonly memoryKiB: number;
};

export type Booted = {
  readonly template: Template;
  readonly instance: Instance;
  readonly directory: string;
  /** Log lines outside of any invocation, init's included. */
  readonly outside: string[];
  readonly invoke: (event?: unknown, head?: Partial<InvokeHead>) => Promise<Answer>;
};

/** Sandboxes of plain processes that end with the test. */
export async function openSpawn(t: TestContext): Promise<{ sandboxes: SpawnSandboxes; directory: string }> {
  const directory = temporaryDirectory(t);
  const sandboxes = await SpawnSandboxes.open({ directory: join(directory, 'run'), log: silentLog, clock: systemClock });
  closeAfter(t, () => sandboxes.close());
  return { sandboxes, directory };
}

export async function writeFunction(directory: string, files: Readonly<Record<string, string>>): Promise<string> {
  const code = await mkdtemp(join(directory, 'code-'));
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(code, name)), { recursive: true });
    await writeFile(join(code, name), text);
  }
  return code;
}

export async function specOf(directory: string, given: FunctionUnderTest): Promise<SandboxSpec> {
  const layerDirectories: string[] = [];
  for (const layer of given.layers ?? []) layerDirectories.push(await writeFunction(directory, layer));
  return {
    label: 'test:$LATEST',
    runtime: given.runtime ?? 'nodejs26.x',
    handler: given.handler ?? 'index.handler',
    codeDirectory: await writeFunction(directory, given.files),
    layerDirectories,
    environment: { AWS_LAMBDA_FUNCTION_NAME: 'test', AWS_LAMBDA_FUNCTION_VERSION: '$LATEST', ...given.environment },
    memoryMiB: given.memoryMiB ?? 128,
    tmpMiB: 512,
    initTimeoutMs: given.initTimeoutMs ?? 60_000,
    concurrency: given.concurrency ?? 1,
  };
}

/** Boots the function and forks one instance. */
export async function run(t: TestContext, given: FunctionUnderTest): Promise<Booted> {
  const { sandboxes, directory } = await openSpawn(t);
  const outside: string[] = [];
  const spec = await specOf(directory, given);
  const booted = await sandboxes.boot(spec, { log: (text) => outside.push(text) });
  assert.ok(booted.ok, `boot failed: ${JSON.stringify(booted)} ${outside.join('\n')}`);
  const instance = booted.template.fork();
  instance.onLog = (text) => outside.push(text);
  return {
    template: booted.template,
    instance,
    directory: spec.codeDirectory,
    outside,
    invoke: (event, head) => invoke(instance, event, head).answer,
  };
}

export type BootFailure = {
  readonly kind: string;
  readonly error?: FunctionError;
  readonly exit?: Exit;
  readonly outside: readonly string[];
};

/** Boots a function whose init fails. */
export async function bootFailure(t: TestContext, given: FunctionUnderTest): Promise<BootFailure> {
  const { sandboxes, directory } = await openSpawn(t);
  const outside: string[] = [];
  const booted = await sandboxes.boot(await specOf(directory, given), { log: (text) => outside.push(text) });
  assert.ok(!booted.ok, 'boot succeeded');
  const { failure } = booted;
  return {
    kind: failure.kind,
    outside,
    ...(failure.kind === 'failed' && { error: failure.error }),
    ...(failure.kind === 'exited' && { exit: failure.exit }),
  };
}

/** The error that init of these files reports. */
export async function initErrorOf(
  t: TestContext,
  files: Readonly<Record<string, string>>,
  handler = 'index.handler',
): Promise<FunctionError> {
  const failure = await bootFailure(t, { files, handler });
  assert.equal(failure.kind, 'failed', JSON.stringify(failure));
  return failure.error!;
}

export type Invoked = {
  readonly answer: Promise<Answer>;
  readonly flow: Flow;
  readonly chunks: Buffer[];
  onChunk: () => void;
  readonly logs: string[];
  onLog: () => void;
  /** It goes on. */
  onAnswer: () => void;
};

export function invoke(instance: Instance, event: unknown = {}, head: Partial<InvokeHead> = {}): Invoked {
  const { promise, resolve } = Promise.withResolvers<Answer>();
  const logs: string[] = [];
  const chunks: Buffer[] = [];
  let streamHead: StreamHead | undefined;
  const id = systemRandom.uuid();
  const arn = 'arn:aws:lambda:us-east-1:000000000000:function:test';
  const encoded = event instanceof FormEvent ? event : Buffer.from(JSON.stringify(event));
  let early: InvocationAnswer | undefined;
  const flow = instance.invoke({ id, arn, deadlineMs: systemClock.now() + 60_000, ...head }, encoded, {
    log(text) {
      logs.push(text);
      invoked.onLog();
    },
    streamHead: (given) => (streamHead = given),
    streamChunk(chunk) {
      chunks.push(Buffer.from(chunk));
      invoked.onChunk();
    },
    answered(answer) {
      early = answer.kind === 'answered' ? { ...answer, payload: Buffer.from(answer.payload) } : answer;
      invoked.onAnswer();
    },
    end(end) {
      const answer = early ?? end;
      resolve({
        end: end.kind,
        ...(early && { early: early.kind }),
        logs,
        body: Buffer.concat(chunks),
        chunks: chunks.length,
        memoryKiB: 'memoryKiB' in end ? end.memoryKiB : 0,
        ...(streamHead && { head: streamHead }),
        ...(answer.kind === 'answered' && { value: JSON.parse(answer.payload.toString()) as unknown }),
        ...((answer.kind === 'failed' || answer.kind === 'streamed') && answer.error && { error: answer.error }),
        ...(end.kind === 'died' && { exit: end.exit }),
      });
    },
  });
  const invoked: Invoked = { answer: promise, flow, chunks, onChunk() {}, logs, onLog() {}, onAnswer() {} };
  return invoked;
}
