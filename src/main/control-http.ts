/** Requests to the control APIs: past the door, then to the API that they are for. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Door } from '../api/door/mod.ts';
import { LAMBDA_PATH, isInvocation } from '../api/lambda/mod.ts';
import { discard, readBody } from '../gateway/mod.ts';
import { HearthError, LIMITS, asHearthError } from '../kernel/mod.ts';
import type { Log } from '../kernel/mod.ts';
import { API_TAG } from '../protocol/mod.ts';

/** A function that asks for something, as its connection tells. */
export type FunctionCaller = { readonly functionName: string; readonly api: 'invoke' | 'control' };

export type ControlHttpOptions = {
  readonly door: Door;
  /** Undefined: the request comes from outside. */
  readonly callerOf: (request: IncomingMessage) => FunctionCaller | undefined;
  /** Returns false for what is not its own. */
  readonly admin: (request: IncomingMessage, response: ServerResponse, body?: Uint8Array) => boolean;
  readonly lambda: (request: IncomingMessage, response: ServerResponse) => void;
  readonly log: Log;
};

/** For load balancers and supervisors, which sign nothing: they learn there that this process is here, and no more. */
const OPEN_PATHS = new Set(['/_hearth/health', '/_hearth/ready']);
const ADMIN_BODY_BYTES = 64 * 1024;
const UPLOAD_PATH = /^\/_hearth\/uploads\/./;
/** One key opens all: clients sign for the service that they know. */
const SERVICES = ['lambda', 'hearth'];

export function createControlHttp(options: ControlHttpOptions): (request: IncomingMessage, response: ServerResponse) => void {
  const { door, callerOf, admin, lambda, log } = options;

  const serve = (request: IncomingMessage, response: ServerResponse) => {
    const path = request.url ?? '/';
    if (OPEN_PATHS.has(path)) return void admin(request, response);
    const caller = callerOf(request);
    if (caller) checkFunction(caller, request);
    const admitted = caller ? undefined : door.admit(request, SERVICES);
    const forLambda = LAMBDA_PATH.test(path);
    if (forLambda && !admitted) {
      // The server leaves it to whoever reads the body to ask for it.
      if (request.headers.expect !== undefined) response.writeContinue();
      return lambda(request, response);
    }
    // A signature is of the body, too: all of it must be there before anything is done.
    const limitBytes = forLambda ? LIMITS.apiBodyBytes : UPLOAD_PATH.test(path) ? LIMITS.images.uploadPieceBytes : ADMIN_BODY_BYTES;
    readBody(request, response, limitBytes, {
      done: (body = NO_BYTES) =>
        guarded(response, () => {
          admitted?.confirm(body);
          if (forLambda) lambda(replayed(request, body), response);
          else if (!admin(request, response, body)) throw nothingAt(path);
        }),
      tooLarge: () => refuse(response, new HearthError('RequestTooLargeException', `This request may have ${limitBytes} bytes at most.`)),
    });
  };

  const guarded = (response: ServerResponse, run: () => void) => {
    try {
      run();
    } catch (thrown) {
      const error = asHearthError(thrown);
      if (error.code === 'Internal') log.error({ error: thrown }, 'a control request failed');
      refuse(response, error);
    }
  };

  return (request, response) => guarded(response, () => serve(request, response));
}

const NO_BYTES = Buffer.alloc(0);

/** A function is not trusted: whatever it signs, it may invoke, and change or read only what it was granted. */
function checkFunction({ functionName, api }: FunctionCaller, request: IncomingMessage): void {
  if (api === 'control' || isInvocation(request.method, request.url)) return;
  throw new HearthError(
    'AccessDeniedException',
    `The function ${functionName} may invoke functions and do nothing else here. The tag ${API_TAG}=control of that function would grant it the whole API.`,
  );
}

function nothingAt(path: string): HearthError {
  const known = 'The Lambda API begins with /2015-03-31/, the admin API with /_hearth/, a function URL with /_url/.';
  return new HearthError('NotFound', `Nothing answers at ${path.split('?')[0]}. ${known}`);
}

/** The same request with its body, which has been read already, still to be read. */
function replayed(request: IncomingMessage, body: Buffer): IncomingMessage {
  const copy = new (process.getBuiltinModule('node:http').IncomingMessage)(request.socket);
  copy.method = request.method!;
  copy.url = request.url!;
  copy.httpVersion = request.httpVersion;
  copy.rawHeaders = request.rawHeaders;
  copy.headers = request.headers;
  copy.complete = true;
  if (body.length > 0) copy.push(body);
  copy.push(null);
  return copy;
}

function refuse(response: ServerResponse, error: HearthError): void {
  if (response.headersSent) return void response.destroy();
  if (!response.req.complete) discard(response.req);
  const message = error.code === 'Internal' ? 'Internal failure. The log of the platform says more.' : error.message;
  const body = JSON.stringify({ message });
  const headers = { 'content-type': 'application/json', 'x-amzn-ErrorType': error.code, 'content-length': Buffer.byteLength(body) };
  response.writeHead(error.status === 0 ? 500 : error.status, headers).end(body);
}
