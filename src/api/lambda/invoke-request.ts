import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { z } from 'zod';
import { parseFunctionReference, resolveVersion } from '../../control/mod.ts';
import type { Functions, FunctionView } from '../../control/mod.ts';
import type { Invocation } from '../../engine/mod.ts';
import { HearthError, LIMITS } from '../../kernel/mod.ts';
import { JSON_DEPTH, nestsTooDeep } from '../../protocol/mod.ts';
import { readBody } from './body.ts';
import { NamespacedFunctionName, Qualifier } from './patterns.ts';
import { decode } from './router.ts';
import { check } from './validation.ts';

const EMPTY_EVENT = Buffer.from('{}');
const PLAIN_NAME = /^[a-zA-Z0-9-_]+$/;

/** What both ways to invoke read from a request, apart from the deployment. */
export type InvokeRequest = FunctionView & {
  readonly invocation: Omit<Invocation, 'deployment'>;
  readonly dryRun: boolean;
};

/** `name` is a path segment as it came. Throws what the service answers with. */
export async function readInvocation(
  functions: Functions,
  request: IncomingMessage,
  from: {
    readonly name: string;
    readonly query: string;
    readonly requestId: string;
    readonly operation: 'InvokeFunction' | 'InvokeWithResponseStream';
  },
): Promise<InvokeRequest> {
  const kind = invocationType(request);
  const body = await readBody(request, LIMITS.payloadBytes, from.operation);
  const view = findVersion(functions, from.name, from.query);
  if (kind === 'Event')
    throw new HearthError(
      'InvalidParameterValueException',
      'This Hearth does not support the InvocationType Event yet. Use RequestResponse, which waits for the answer.',
    );
  const trace = request.headers['x-amzn-trace-id'];
  const clientContext = readClientContext(request);
  return {
    ...view,
    dryRun: kind === 'DryRun',
    invocation: {
      event: checkEvent(body),
      requestId: from.requestId,
      logTail: wantsTail(request),
      ...(typeof trace === 'string' && { trace }),
      ...(clientContext !== undefined && { clientContext }),
    },
  };
}

function invocationType(request: IncomingMessage): 'RequestResponse' | 'Event' | 'DryRun' {
  const header = request.headers['x-amz-invocation-type'];
  if (header === undefined || header === 'RequestResponse') return 'RequestResponse';
  return check(z.object({ InvocationType: z.enum(['Event', 'RequestResponse', 'DryRun']) }), { InvocationType: header }).InvocationType;
}

function wantsTail(request: IncomingMessage): boolean {
  const header = request.headers['x-amz-log-type'];
  if (header === undefined) return false;
  return check(z.object({ LogType: z.enum(['None', 'Tail']) }), { LogType: header }).LogType === 'Tail';
}

/** A table look-up for a plain name; the rest of the ways to name a function only where they are used. */
function findVersion(functions: Functions, segment: string, query: string): FunctionView {
  const plain = query === '' && PLAIN_NAME.test(segment) ? functions.table.byName.get(segment) : undefined;
  if (plain) return { entry: plain, version: plain.versions.get('$LATEST')! };
  const given = { FunctionName: decode(segment) ?? segment, Qualifier: new URLSearchParams(query).get('Qualifier') };
  const checked = check(z.object({ FunctionName: NamespacedFunctionName, Qualifier: Qualifier.optional() }), given);
  const { name, qualifier } = parseFunctionReference(checked.FunctionName, functions.realm, checked.Qualifier);
  const entry = functions.get(name, qualifier);
  const fraction = () => Buffer.from(functions.random.bytes(4)).readUInt32LE(0) / 2 ** 32;
  return { entry, version: resolveVersion(entry, qualifier, fraction) };
}

/** Nothing is an empty object, as on Lambda. */
function checkEvent(body: Buffer): Buffer {
  if (body.length === 0) return EMPTY_EVENT;
  if (!isUtf8(body)) throw badJson('Invalid UTF-8');
  if (nestsTooDeep(body)) throw badJson(`Document nesting depth exceeds the maximum allowed (${JSON_DEPTH})`);
  try {
    JSON.parse(body.toString());
  } catch (error) {
    if (error instanceof SyntaxError) throw badJson(error.message);
    throw error;
  }
  return body;
}

function badJson(reason: string): HearthError {
  const message = `Could not parse request body into json: Could not parse payload into json: ${reason}`;
  return new HearthError('InvalidRequestContentException', message);
}

function readClientContext(request: IncomingMessage): string | undefined {
  const header = request.headers['x-amz-client-context'];
  if (typeof header !== 'string' || header === '') return undefined;
  const text = Buffer.from(header, 'base64').toString();
  try {
    JSON.parse(text);
  } catch (cause) {
    const message = 'Client context must be a valid Base64-encoded JSON object.';
    throw new HearthError('InvalidRequestContentException', message, { cause });
  }
  return text;
}
