/** Streamed answers: the `awslambda` global, and the stream that a streaming handler writes to. */
import { Writable } from 'node:stream';
import type { Channel } from './channel.ts';
import { KIND } from './channel.ts';
import { RuntimeError } from './errors.ts';
import type { Streamed } from './invocation.ts';
import type { Handler } from './load.ts';

const STREAMING = Symbol.for('aws.lambda.runtime.handler.streaming');
const HIGH_WATER_MARK = Symbol.for('aws.lambda.runtime.handler.streaming.highWaterMark');
const PRELUDE_TYPE = 'application/vnd.awslambda.http-integration-response';
const DEFAULT_TYPE = 'application/octet-stream';
const MAX_CHUNK_BYTES = 1024 * 1024;
const { stringify } = JSON;
const { concat } = Buffer;

type Marked = { [STREAMING]?: unknown; [HIGH_WATER_MARK]?: unknown };
type Prelude = { readonly statusCode?: unknown; readonly headers?: unknown; readonly cookies?: unknown };

export function installStreaming(): void {
  Object.assign(globalThis, {
    awslambda: {
      streamifyResponse(handler: Handler & Marked, options?: { readonly highWaterMark?: unknown }): Handler {
        handler[STREAMING] = 'response';
        if (typeof options?.highWaterMark === 'number') handler[HIGH_WATER_MARK] = Math.trunc(options.highWaterMark);
        return handler;
      },
      HttpResponseStream: {
        /** Sets status, headers and cookies; they go out with the first byte. */
        from(stream: ResponseStream, prelude: Prelude): ResponseStream {
          stream.setPrelude(prelude);
          return stream;
        },
      },
    },
  });
}

export function streamingOptions(handler: Handler & Marked): { readonly streaming: boolean; readonly highWaterMark: number | undefined } {
  const mark = handler[STREAMING];
  const highWaterMark = handler[HIGH_WATER_MARK];
  if (mark !== undefined && mark !== null && mark !== false && mark !== 'response') {
    throw new RuntimeError('MalformedStreamingHandler', 'Only response streaming is supported.');
  }
  return { streaming: mark === 'response', highWaterMark: typeof highWaterMark === 'number' ? highWaterMark : undefined };
}

export class ResponseStream extends Writable implements Streamed {
  begun = false;
  readonly #channel: Channel;
  readonly #stream: number;
  #contentType = DEFAULT_TYPE;
  #prelude: Prelude | undefined;
  #sealed = false;

  constructor(channel: Channel, stream: number, highWaterMark: number | undefined) {
    super({ highWaterMark, decodeStrings: true });
    this.#channel = channel;
    this.#stream = stream;
    // An error that nobody listens to must not end the process: the invocation reports it.
    this.on('error', () => {});
  }

  setContentType(contentType: unknown): void {
    if (this.begun) throw new RuntimeError('InvalidStreamingOperation', 'Cannot set content-type, too late.');
    this.#contentType = String(contentType);
  }

  setPrelude(prelude: Prelude): void {
    this.setContentType(PRELUDE_TYPE);
    this.#prelude = normalised(prelude);
  }

  seal(): void {
    this.#sealed = true;
  }

  /** Like any Writable, and values other than bytes and strings go out as JSON. */
  override write(chunk: unknown, ...rest: unknown[]): boolean {
    const bytes = typeof chunk === 'string' || chunk instanceof Uint8Array || chunk === null ? chunk : stringify(chunk);
    return (super.write as (...args: unknown[]) => boolean).call(this, bytes, ...rest);
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (this.#sealed) return done(new RuntimeError('InvalidStreamingOperation', 'The response has ended.'));
    this.#begin();
    sendChunks(this.#channel, this.#stream, chunk);
    this.#channel.drained(done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    this._write(concat(chunks.map(({ chunk }) => chunk)), 'buffer' as BufferEncoding, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    if (!this.#sealed) this.#begin();
    done();
  }

  #begin(): void {
    if (this.begun) return;
    this.begun = true;
    const head = { contentType: this.#contentType, ...(this.#prelude && { prelude: this.#prelude }) };
    this.#channel.sendText(KIND.streamHead, this.#stream, 0, 0, stringify(head));
  }
}

/** Resolves when all that was written has gone out. */
export function finished(response: ResponseStream): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = () => {
      if (response.writableFinished) resolve();
      else reject(response.errored ?? new Error('Response stream is not finished.'));
    };
    if (response.writableFinished || response.destroyed) settle();
    else response.once('finish', settle).once('close', settle);
  });
}

export function sendChunks(channel: Channel, stream: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; at += MAX_CHUNK_BYTES) {
    channel.sendBytes(KIND.streamChunk, stream, bytes.subarray(at, at + MAX_CHUNK_BYTES));
  }
}

function normalised(prelude: Prelude | null | undefined): Prelude {
  const { statusCode, headers, cookies } = prelude ?? {};
  return {
    ...(statusCode !== undefined && { statusCode: Number(statusCode) }),
    ...(typeof headers === 'object' && headers !== null && { headers: texts(headers) }),
    ...(Array.isArray(cookies) && { cookies: cookies.map(String) }),
  };
}

const texts = (headers: object): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers)
      .filter(([, value]) => value !== undefined && value !== null)
      .map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : String(value)]),
  );
