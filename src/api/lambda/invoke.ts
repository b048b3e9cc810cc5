import type { ServerResponse } from 'node:http';
import type { Deployment, Engine, Outcome } from '../../engine/mod.ts';
import { HearthError, traceName, unreachable } from '../../kernel/mod.ts';
import { encodeEventMessage } from '../../protocol/mod.ts';
import type { FunctionError } from '../../protocol/mod.ts';
import { errorReply } from './errors.ts';
import type { InvokeRequest } from './invoke-request.ts';

type Refused = Extract<Outcome, { kind: 'refused' }>;

/** Invoke: one event, one answer. Ends the response. */
export function invoke(engine: Engine, deployment: Deployment, { invocation, version }: InvokeRequest, response: ServerResponse): void {
  const executed = version.record.version;
  const handle = engine.invoke(
    { ...invocation, deployment },
    {
      end(outcome) {
        switch (outcome.kind) {
          case 'answered':
            // The payload is the engine's, and gone after this call.
            return finish(response, executed, Buffer.from(outcome.payload), outcome.logTail);
          case 'functionError':
            response.setHeader('X-Amz-Function-Error', 'Unhandled');
            return finish(response, executed, errorPayload(outcome.error, version.record.settings.runtime), outcome.logTail);
          case 'refused':
            return refuse(response, outcome);
          case 'streamed':
            throw new Error('an answer came as a stream, though nobody listens to one');
          default:
            return unreachable(outcome);
        }
      },
    },
  );
  response.once('close', () => {
    if (!response.writableEnded) handle.abandon();
  });
}

function finish(response: ServerResponse, version: string, payload: Buffer, logTail: string | undefined): void {
  response.setHeader('X-Amz-Executed-Version', version);
  if (logTail !== undefined) response.setHeader('X-Amz-Log-Result', Buffer.from(logTail).toString('base64'));
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': payload.length });
  response.end(payload);
}

/** An error in the shape that the runtime of the function gives it on Lambda. */
function errorPayload({ errorType, errorMessage, stackTrace, requestId, body }: FunctionError, runtime: string): Buffer {
  if (body !== undefined) return Buffer.from(body);
  const more = { ...(requestId !== undefined && { requestId }), ...(stackTrace && { [traceName(runtime)]: stackTrace }) };
  return Buffer.from(JSON.stringify({ errorType, errorMessage, ...more }));
}

function refuse(response: ServerResponse, { code, message, reason }: Refused): void {
  const reply = errorReply(new HearthError(code, message), reason === undefined ? {} : { Reason: reason });
  response.writeHead(reply.status, { ...reply.headers, 'content-length': Buffer.byteLength(reply.body) });
  response.end(reply.body);
}

/** InvokeWithResponseStream: the answer as events, while it is made. Ends the response. */
export function invokeWithStream(
  engine: Engine,
  deployment: Deployment,
  { invocation, version }: InvokeRequest,
  response: ServerResponse,
): void {
  const begin = () => {
    if (response.headersSent) return;
    response.setHeader('X-Amz-Executed-Version', version.record.version);
    response.writeHead(200, { 'content-type': 'application/vnd.amazon.eventstream' });
  };
  const complete = (error: FunctionError | undefined, logTail: string | undefined) => {
    begin();
    const details = error && {
      ErrorCode: 'Unhandled',
      ErrorDetails: errorPayload(error, version.record.settings.runtime).toString(),
    };
    const logs = logTail !== undefined && { LogResult: Buffer.from(logTail).toString('base64') };
    response.end(event('InvokeComplete', 'application/json', Buffer.from(JSON.stringify({ ...details, ...logs }))));
  };
  const handle = engine.invoke(
    { ...invocation, deployment },
    {
      streamHead: begin,
      streamChunk(chunk) {
        begin();
        if (!response.write(event('PayloadChunk', 'application/octet-stream', chunk))) handle.pause();
      },
      end(outcome) {
        switch (outcome.kind) {
          case 'answered':
            begin();
            response.write(event('PayloadChunk', 'application/octet-stream', outcome.payload));
            return complete(undefined, outcome.logTail);
          case 'streamed':
            return complete(outcome.error, outcome.logTail);
          case 'functionError':
            return complete(outcome.error, outcome.logTail);
          case 'refused':
            return refuse(response, outcome);
          default:
            return unreachable(outcome);
        }
      },
    },
  );
  response.on('drain', () => handle.resume());
  response.once('close', () => {
    if (!response.writableEnded) handle.abandon();
  });
}

function event(type: string, contentType: string, payload: Uint8Array): Buffer {
  return encodeEventMessage({ ':event-type': type, ':content-type': contentType, ':message-type': 'event' }, payload);
}
