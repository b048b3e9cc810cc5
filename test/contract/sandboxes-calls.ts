import assert from 'node:assert/strict';
import { join } from 'node:path';
import type {
  BootResult,
  Exit,
  Flow,
  Instance,
  InvocationAnswer,
  InvocationEnd,
  SandboxSpec,
  Sandboxes,
  Template,
} from '../../src/ports/mod.ts';
import type { FunctionError, InvokeHead, LogLevel, StreamHead } from '../../src/protocol/mod.ts';

export type Line = { readonly text: string; readonly level: LogLevel };

/** Log lines as they come. */
export class Lines {
  readonly all: Line[] = [];
  readonly #waiting: { readonly text: string; readonly resolve: () => void }[] = [];

  readonly log = (text: string, level: LogLevel): void => {
    this.all.push({ text, level });
    for (const each of this.#waiting) if (text.includes(each.text)) each.resolve();
  };

  /** Settles when a line with this text has come. */
  logged(text: string): Promise<void> {
    if (this.all.some((line) => line.text.includes(text))) return Promise.resolve();
    return new Promise((resolve) => void this.#waiting.push({ text, resolve }));
  }
}

/** What an invocation's listener was told, in the end. */
export type Answer = {
  readonly kind: InvocationEnd['kind'];
  readonly value?: unknown;
  readonly error?: FunctionError;
  readonly exit?: Exit;
  readonly memoryKiB?: number;
  readonly lines: readonly Line[];
  readonly heads: readonly StreamHead[];
  readonly body: Buffer;
  /** The answer of one that has gone on, and how many lines had come before it. */
  readonly early?: { readonly kind: InvocationAnswer['kind']; readonly value?: unknown; readonly lines: number };
};

export type Call = {
  readonly flow: Flow;
  readonly answer: Promise<Answer>;
  /** Of the invocation, and of its instance meanwhile. */
  readonly lines: Lines;
  readonly chunks: number;
};

/** Sandboxes in which the functions below `directory` can be run. */
export type Place = { readonly sandboxes: Sandboxes; readonly directory: string };

export function specOf(place: Place, name: string, more: Partial<SandboxSpec> = {}): SandboxSpec {
  return {
    label: `${name}:$LATEST`,
    runtime: 'nodejs26.x',
    handler: 'index.handler',
    codeDirectory: join(place.directory, name),
    layerDirectories: [],
    environment: { AWS_LAMBDA_FUNCTION_NAME: name },
    memoryMiB: 128,
    tmpMiB: 16,
    initTimeoutMs: 60_000,
    concurrency: 1,
    ...more,
  };
}

export async function boot(place: Place, name: string, more?: Partial<SandboxSpec>): Promise<BootResult & { readonly lines: Lines }> {
  const lines = new Lines();
  const result = await place.sandboxes.boot(specOf(place, name, more), { log: lines.log });
  return { ...result, lines };
}

export async function template(place: Place, name: string, more?: Partial<SandboxSpec>): Promise<Template> {
  const result = await boot(place, name, more);
  assert.ok(result.ok, JSON.stringify(result));
  return result.template;
}

let ids = 0;

export function call(instance: Instance, event: unknown = {}, more: Partial<InvokeHead> = {}): Call {
  const head: InvokeHead = {
    id: `00000000-0000-4000-8000-${String(++ids).padStart(12, '0')}`,
    deadlineMs: Date.now() + 60_000,
    arn: 'arn:f',
    ...more,
  };
  const lines = new Lines();
  const heads: StreamHead[] = [];
  const chunks: Buffer[] = [];
  const { promise, resolve } = Promise.withResolvers<Answer>();
  const log = (text: string, level: LogLevel): void => {
    assert.ok(!ended, 'a line after the end');
    lines.log(text, level);
  };
  let ended = false;
  let early: Answer['early'];
  instance.onLog = log;
  const flow = instance.invoke(head, Buffer.from(JSON.stringify(event)), {
    log,
    streamHead(received) {
      assert.ok(!ended && chunks.length === 0, 'a head after the first chunk');
      heads.push(received);
    },
    streamChunk(chunk) {
      assert.ok(!ended && heads.length === 1, 'a chunk without a head');
      chunks.push(Buffer.from(chunk));
    },
    answered(given) {
      assert.ok(!ended && !early, 'answered twice');
      const said = given.kind === 'answered' && { value: JSON.parse(given.payload.toString()) as unknown };
      early = { kind: given.kind, lines: lines.all.length, ...said };
    },
    end(end) {
      assert.ok(!ended, 'ended twice');
      ended = true;
      instance.onLog = undefined;
      const answer = { ...end, lines: lines.all, heads, body: Buffer.concat(chunks), ...(early && { early }) };
      resolve(end.kind === 'answered' ? { ...answer, value: JSON.parse(end.payload.toString()) as unknown } : answer);
    },
  });
  return {
    flow,
    answer: promise,
    get chunks() {
      return chunks.length;
    },
    lines,
  };
}

export async function value(instance: Instance, event?: unknown): Promise<unknown> {
  const answer = await call(instance, event).answer;
  assert.equal(answer.kind, 'answered', JSON.stringify(answer));
  return answer.value;
}
