import { pathToFileURL } from 'node:url';
import { join } from 'node:path';
import type { Deployment, Engine, EngineListener, Invocation } from '../../../src/engine/mod.ts';
import { jsonOf } from '../../../src/protocol/mod.ts';
import type { FunctionError } from '../../../src/protocol/mod.ts';

type Handler = ((event: unknown, ...rest: unknown[]) => unknown) & { streaming?: true };

/** Runs handlers in this process: an engine for tests of what is in front of it. No limits, no isolation. */
export function createInProcessEngine(): Engine {
  Object.assign(globalThis, {
    awslambda: { streamifyResponse: (handler: Handler) => Object.assign(handler, { streaming: true as const }) },
  });
  return {
    invoke(invocation, listener) {
      const requestId = invocation.requestId ?? 'none';
      void run(invocation, requestId, listener);
      return { requestId, pause() {}, resume() {}, abandon() {} };
    },
    async retire() {},
    prepare: async () => ({ ok: true, initMs: 0, blockers: [] }),
    async drain() {},
    rescale() {},
    reserve() {},
    resume() {},
    snapshot: () => undefined,
    stats: () => [],
    statsOf: () => undefined,
    warming: () => undefined,
    sharedWarming: () => undefined,
    takeWarmingChanges: () => undefined,
    forget: () => [],
    load: () => {
      throw new Error('this engine counts nothing');
    },
  };
}

async function run(invocation: Invocation, requestId: string, listener: EngineListener): Promise<void> {
  const { deployment } = invocation;
  const logTail = invocation.logTail
    ? { logTail: `START RequestId: ${requestId} Version: ${deployment.version}\nEND RequestId: ${requestId}\n` }
    : {};
  if (deployment.maxInstances === 0) {
    listener.end({
      kind: 'refused',
      code: 'TooManyRequestsException',
      message: 'Rate Exceeded.',
      reason: 'ReservedFunctionConcurrentInvocationLimitExceeded',
    });
    return;
  }
  try {
    const handler = await load(deployment);
    const event: unknown = JSON.parse(jsonOf(invocation.event));
    if (handler.streaming) {
      await stream(handler, event, listener);
      listener.end({ kind: 'streamed', ...logTail });
      return;
    }
    const context = {
      awsRequestId: requestId,
      functionVersion: deployment.version,
      invokedFunctionArn: deployment.arn,
      clientContext: invocation.clientContext === undefined ? undefined : JSON.parse(invocation.clientContext),
    };
    const answer = await handler(event, context);
    listener.end({ kind: 'answered', payload: Buffer.from(JSON.stringify(answer ?? null)), ...logTail });
  } catch (thrown) {
    listener.end({ kind: 'functionError', error: functionError(thrown), ...logTail });
  }
}

async function load({ id, spec }: Deployment): Promise<Handler> {
  const [file, name] = spec.handler.split('.') as [string, string];
  const module: { default?: Record<string, Handler> } & Record<string, unknown> = await import(
    `${pathToFileURL(join(spec.codeDirectory, `${file}.js`)).href}?${id}`
  );
  return (module.default?.[name] ?? module[name]) as Handler;
}

async function stream(handler: Handler, event: unknown, listener: EngineListener): Promise<void> {
  listener.streamHead?.({ contentType: 'application/octet-stream' });
  let end = () => {};
  const ended = new Promise<void>((resolve) => (end = resolve));
  const write = (text: string) => listener.streamChunk?.(Buffer.from(text));
  await handler(event, { write, end: (text?: string) => (text === undefined ? end() : (write(text), end())) }, {});
  await ended;
}

function functionError(thrown: unknown): FunctionError {
  if (!(thrown instanceof Error)) return { errorType: 'Error', errorMessage: String(thrown) };
  return { errorType: thrown.name, errorMessage: thrown.message, stackTrace: (thrown.stack ?? '').split('\n') };
}
