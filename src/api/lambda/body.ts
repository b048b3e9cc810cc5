import type { IncomingMessage } from 'node:http';
import { HearthError } from '../../kernel/mod.ts';

/** What of an oversized body is read and dropped before the answer: clients read answers only when they have sent all. */
const DROPPED_BYTES = 64 * 1024 * 1024;

/** The body as one buffer. Throws `RequestTooLargeException`, once the rest has been dropped, and `BadRequest` when the sender went away. */
export function readBody(request: IncomingMessage, limitBytes: number, operation: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const tooLarge = () =>
      new HearthError('RequestTooLargeException', `Request must be smaller than ${limitBytes} bytes for the ${operation} operation`);
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= limitBytes) chunks.push(chunk);
      else chunks.length = 0;
      if (bytes > limitBytes + DROPPED_BYTES) {
        request.pause();
        reject(tooLarge());
      }
    });
    request.once('end', () => {
      if (bytes > limitBytes) reject(tooLarge());
      else resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, bytes));
    });
    request.once('close', () => {
      if (!request.readableEnded) reject(new HearthError('BadRequest', 'The connection ended before the request had arrived.'));
    });
    request.once('error', (cause) => reject(new HearthError('BadRequest', 'The request could not be read.', { cause })));
  });
}
