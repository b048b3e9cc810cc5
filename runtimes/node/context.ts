/** The context object that a handler gets. */
export type InvokeHead = {
  readonly id: string;
  readonly deadlineMs: number;
  readonly arn: string;
  readonly trace?: string;
  readonly clientContext?: string;
  readonly identity?: string;
};

/** What is the same for all invocations. */
export type FunctionFacts = {
  readonly functionName: string | undefined;
  readonly functionVersion: string | undefined;
  readonly memoryLimitInMB: string | undefined;
  readonly logGroupName: string | undefined;
  readonly logStreamName: string | undefined;
};

/** What a context can do to its invocation. */
export interface Completion {
  /** Ends the invocation without waiting for an empty event loop; only the first call counts. */
  done(error: unknown, result?: unknown): void;
}

export type Context = {
  /** For the handler to set. */
  callbackWaitsForEmptyEventLoop: boolean;
};

const { now } = Date;
const { parse } = JSON;

export function functionFacts(environment: Readonly<Record<string, string | undefined>>): FunctionFacts {
  return {
    functionName: environment['AWS_LAMBDA_FUNCTION_NAME'],
    functionVersion: environment['AWS_LAMBDA_FUNCTION_VERSION'],
    memoryLimitInMB: environment['AWS_LAMBDA_FUNCTION_MEMORY_SIZE'],
    logGroupName: environment['AWS_LAMBDA_LOG_GROUP_NAME'],
    logStreamName: environment['AWS_LAMBDA_LOG_STREAM_NAME'],
  };
}

/** Data properties only: with an accessor of its own each object would be a dictionary to V8, several times as slow to make. */
export function createContext(facts: FunctionFacts, head: InvokeHead, completion: Completion): Context {
  const { deadlineMs } = head;
  return {
    callbackWaitsForEmptyEventLoop: true,
    succeed: (result: unknown) => completion.done(null, result),
    // Without a reason Lambda reports the string 'handled'.
    fail: (error: unknown) => completion.done(error ?? 'handled'),
    done: (error: unknown, result: unknown) => completion.done(error, result),
    functionVersion: facts.functionVersion,
    functionName: facts.functionName,
    memoryLimitInMB: facts.memoryLimitInMB,
    logGroupName: facts.logGroupName,
    logStreamName: facts.logStreamName,
    clientContext: parsed(head.clientContext, 'ClientContext'),
    identity: parsed(head.identity, 'CognitoIdentity'),
    invokedFunctionArn: head.arn,
    awsRequestId: head.id,
    getRemainingTimeInMillis: () => deadlineMs - now(),
  } as Context;
}

function parsed(text: string | undefined, name: string): unknown {
  if (text === undefined) return undefined;
  try {
    return parse(text);
  } catch (error) {
    throw new Error(`Cannot parse ${name} as json: ${String(error)}`, { cause: error });
  }
}
