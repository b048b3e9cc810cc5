/**
 * Reads a request's body whole, up to a limit, without a promise. Whoever waits for `100 Continue` gets it when the body is wanted: a
 * server that uses this must listen to `checkContinue`.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';

export type BodyListener = {
  done(body: Buffer | undefined): void;
  /** More came than may come, or was announced. What is still to come is read and dropped. */
  tooLarge(): void;
};

/** So much of a body nobody wants is still read: whoever sends it sees the answer, and the connection stays usable. */
const DISCARD_BYTES = 64 * 1024 * 1024;

export function readBody(request: IncomingMessage, response: ServerResponse, limitBytes: number, listener: BodyListener): void {
  const announced = request.headers['content-length'];
  if (announced === undefined && request.headers['transfer-encoding'] === undefined) return listener.done(undefined);
  if (announced === '0') return listener.done(undefined);
  if (announced !== undefined && Number(announced) > limitBytes) {
    discard(request);
    return listener.tooLarge();
  }
  if (request.headers.expect !== undefined) response.writeContinue();
  const chunks: Buffer[] = [];
  let bytes = 0;
  const onData = (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes <= limitBytes) return void chunks.push(chunk);
    request.off('data', onData);
    request.off('end', onEnd);
    chunks.length = 0;
    discard(request, bytes);
    listener.tooLarge();
  };
  // Not called when the client goes away before the end: then there is nobody to answer either.
  const onEnd = () => listener.done(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks, bytes));
  request.on('data', onData);
  request.on('end', onEnd);
}

/** Reads and drops what nobody wants, up to a bound: left to itself node:http would do so without one. */
export function discard(request: IncomingMessage, alreadyBytes = 0): void {
  let bytes = alreadyBytes;
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > DISCARD_BYTES) request.socket.destroy();
  });
}
