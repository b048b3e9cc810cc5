import { FormEvent } from './event-form.ts';
import type { EncodableEvent } from './event-form.ts';
import { quoted } from './json.ts';

/**
 * Frames between the host and a sandbox, over a stream socket.
 *
 *   bytes 0-3  payload length, unsigned, little-endian
 *   byte  4    kind
 *   bytes 5-8  stream id, unsigned, little-endian: which invocation this frame is about; 0: the connection itself
 *   then       the payload
 *
 * Both sides may write several frames at once and must accept a frame torn at any byte. A frame over the limit, or of an
 * unknown kind, ends the connection: the peer is untrusted code.
 */
export const FRAME_HEAD_BYTES = 9;

export const FRAME = {
  // host -> sandbox
  /** u32 length of the head, the head (JSON, InvokeHead), then the event's bytes. */
  invoke: 0x01,
  /**
   * An invocation whose event is a form that is filled in (event-form.ts). Payload: u32 id of the form, u32 length of the form, u32 length of
   * the texts; the form as JSON, for who does not know that id; the texts, in Latin-1 and each ended by a newline: request id, deadline, ARN,
   * trace or nothing, then one for each blank; the body's bytes.
   */
  invokeForm: 0x02,
  // sandbox -> host
  /** Init is done. Payload: JSON (ReadyPayload). */
  ready: 0x10,
  /** Init failed. Payload: JSON (FunctionError). */
  initError: 0x11,
  /** How an instance came to be: comes once, before its first answer. Payload: JSON (StepTimes). */
  steps: 0x12,
  /** What the runtime has compiled during init, before `ready` and at most once: bytes to be kept as they are, for sandboxes of the same version. */
  compileCache: 0x13,
  /** The answer. Payload: u32 memory in KiB, then the response's bytes (a JSON text). */
  response: 0x20,
  /** The function threw or rejected. Payload: u32 memory in KiB, then JSON (FunctionError). */
  error: 0x21,
  /** A streamed answer begins. Payload: JSON (StreamHead). */
  streamHead: 0x22,
  streamChunk: 0x23,
  /** A streamed answer ends. Payload: u32 memory in KiB, then nothing, or JSON (FunctionError) when it broke off. */
  streamEnd: 0x24,
  /** The invocation goes on after its answer, which follows: `over` ends it. */
  goesOn: 0x25,
  /** Nothing of an invocation runs any more that has gone on after its answer. Payload: u32 memory in KiB. */
  over: 0x26,
  /** Console output. Payload: u8 level (index into LOG_LEVELS), then UTF-8 text, without a final newline. */
  log: 0x30,
  /** The process is about to end by its own will. Payload: JSON (ExitPayload). */
  exit: 0x31,
} as const;

export type FrameKind = (typeof FRAME)[keyof typeof FRAME];

export const LOG_LEVELS = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export type InvokeHead = {
  /** The request id, a UUID. */
  readonly id: string;
  /** Epoch milliseconds at which the invocation is ended. */
  readonly deadlineMs: number;
  readonly arn: string;
  readonly trace?: string;
  /** JSON texts as the client sent them (X-Amz-Client-Context decoded, Cognito identity). */
  readonly clientContext?: string;
  readonly identity?: string;
};

/** An error as Lambda shows it to a caller. */
export type FunctionError = {
  readonly errorType: string;
  readonly errorMessage: string;
  readonly stackTrace?: readonly string[];
  /** The invocation's, where the runtime's errors name it. */
  readonly requestId?: string;
  /** JSON that the runtime gave for it, which callers get as it is. Absent: it is put together from the rest. */
  readonly body?: string;
};

export type ReadyPayload = {
  /** What the function's own init took, milliseconds. */
  readonly initMs: number;
  /** Whether the handler answers by a stream. */
  readonly streaming: boolean;
  /** What cannot survive a fork; empty when instances can be forked. */
  readonly blockers: readonly SnapshotBlocker[];
  /** When what came before init had happened, and then: the code was there, the module was loaded, blockers had been looked for. */
  readonly before: StepTimes;
  readonly times: StepTimes;
};

/**
 * Milliseconds of the machine's monotonic clock, in an order that both sides know. Whatever is not a positive number: it has not happened. As
 * the sandbox says.
 */
export type StepTimes = readonly unknown[];

export type SnapshotBlocker = {
  readonly kind: string;
  readonly detail: string;
  /** Where the function opened it, `file:line:column`; absent: not known. */
  readonly place?: string;
};

export type StreamHead = {
  readonly contentType: string;
  /** Set by HttpResponseStream.from: the response's status, headers and cookies. */
  readonly prelude?: {
    readonly statusCode?: number;
    readonly headers?: Readonly<Record<string, string>>;
    readonly cookies?: readonly string[];
  };
};

export type ExitPayload = { readonly code: number };

/** One frame as a single buffer. */
export function encodeFrame(kind: FrameKind, stream: number, ...parts: readonly Uint8Array[]): Buffer {
  let length = 0;
  for (const part of parts) length += part.length;
  const frame = Buffer.allocUnsafe(FRAME_HEAD_BYTES + length);
  writeFrameHead(frame, kind, stream, length);
  let at = FRAME_HEAD_BYTES;
  for (const part of parts) {
    frame.set(part, at);
    at += part.length;
  }
  return frame;
}

export function writeFrameHead(target: Buffer, kind: FrameKind, stream: number, length: number): void {
  target.writeUInt32LE(length, 0);
  target[4] = kind;
  target.writeUInt32LE(stream, 5);
}

/** Puts the frames of invocations together, all but large ones in one buffer: a frame is valid until the next one is encoded. */
export class InvokeEncoder {
  readonly #own = Buffer.allocUnsafeSlow(64 * 1024);
  /** The frame is the first `length` bytes. */
  frame = this.#own;
  length = 0;

  encode(stream: number, head: InvokeHead, event: EncodableEvent): void {
    // A form's invocation has no place for what only some clients send.
    if (!(event instanceof FormEvent)) this.#encodeJson(stream, head, event);
    else if (head.clientContext !== undefined || head.identity !== undefined) this.#encodeJson(stream, head, event.toJson());
    else this.#encodeForm(stream, head, event);
  }

  #encodeForm(stream: number, { id, deadlineMs, arn, trace }: InvokeHead, { form, texts, body }: FormEvent): void {
    const text = `${id}\n${deadlineMs}\n${arn}\n${trace ?? ''}\n${texts}`;
    const formBytes = form.bytes.length;
    const textAt = FORM_AT + formBytes;
    const bodyAt = textAt + text.length;
    const length = body === undefined ? bodyAt : bodyAt + body.length;
    const frame = length <= this.#own.length ? this.#own : Buffer.allocUnsafe(length);
    writeFrameHead(frame, FRAME.invokeForm, stream, length - FRAME_HEAD_BYTES);
    frame.writeUInt32LE(form.id, FRAME_HEAD_BYTES);
    frame.writeUInt32LE(formBytes, FRAME_HEAD_BYTES + 4);
    frame.writeUInt32LE(text.length, FRAME_HEAD_BYTES + 8);
    frame.set(form.bytes, FORM_AT);
    frame.write(text, textAt, 'latin1');
    if (body !== undefined) frame.set(body, bodyAt);
    this.frame = frame;
    this.length = length;
  }

  #encodeJson(stream: number, head: InvokeHead, event: string | Uint8Array): void {
    const text = headText(head);
    // Characters take three bytes at most.
    const most = EVENT_AT + (text.length + event.length) * 3;
    const frame = most <= this.#own.length ? this.#own : Buffer.allocUnsafe(EVENT_AT + Buffer.byteLength(text) + Buffer.byteLength(event));
    const headBytes = frame.write(text, EVENT_AT);
    const eventAt = EVENT_AT + headBytes;
    let eventBytes = event.length;
    if (typeof event === 'string') eventBytes = frame.write(event, eventAt);
    else frame.set(event, eventAt);
    writeFrameHead(frame, FRAME.invoke, stream, 4 + headBytes + eventBytes);
    frame.writeUInt32LE(headBytes, FRAME_HEAD_BYTES);
    this.frame = frame;
    this.length = eventAt + eventBytes;
  }
}

const EVENT_AT = FRAME_HEAD_BYTES + 4;
const FORM_AT = FRAME_HEAD_BYTES + 12;

/** JSON, put together by hand: there is one for every invocation. */
function headText({ id, deadlineMs, arn, trace, clientContext, identity }: InvokeHead): string {
  let text = `{"id":${quoted(id)},"deadlineMs":${deadlineMs},"arn":${quoted(arn)}`;
  if (trace !== undefined) text += `,"trace":${quoted(trace)}`;
  if (clientContext !== undefined) text += `,"clientContext":${JSON.stringify(clientContext)}`;
  if (identity !== undefined) text += `,"identity":${JSON.stringify(identity)}`;
  return `${text}}`;
}

/** The stream that a whole frame is about. */
export const streamOf = (frame: Buffer): number => frame.readUInt32LE(5);

export class FrameError extends Error {
  override readonly name = 'FrameError';
}

const KNOWN_KINDS = new Set<number>(Object.values(FRAME));

/**
 * Cuts a byte stream into frames. `onFrame` gets views into the pushed chunks wherever a frame lies whole within one:
 * copy what must outlive the call. Throws FrameError at a frame over `maxPayloadBytes` or of an unknown kind; the decoder must
 * not be used afterwards.
 */
export class FrameDecoder {
  readonly #maxPayloadBytes: number;
  readonly #onFrame: (kind: FrameKind, stream: number, payload: Buffer) => void;
  /** The beginning of a frame that has not arrived whole, in a buffer as large as is known to be needed. */
  #partial: Buffer | undefined;
  #filled = 0;

  constructor(maxPayloadBytes: number, onFrame: (kind: FrameKind, stream: number, payload: Buffer) => void) {
    this.#maxPayloadBytes = maxPayloadBytes;
    this.#onFrame = onFrame;
  }

  push(chunk: Buffer): void {
    let at = this.#partial ? this.#complete(chunk) : 0;
    while (!this.#partial && chunk.length - at >= FRAME_HEAD_BYTES) {
      const end = at + FRAME_HEAD_BYTES + this.#payloadLength(chunk, at);
      if (end > chunk.length) break;
      this.#emit(chunk.subarray(at, end));
      at = end;
    }
    if (!this.#partial && at < chunk.length) this.#keep(chunk.subarray(at));
  }

  /** Fills the partial frame from `chunk`; returns how many bytes it took. */
  #complete(chunk: Buffer): number {
    let at = 0;
    if (this.#filled < FRAME_HEAD_BYTES) {
      at = this.#fill(chunk, 0, FRAME_HEAD_BYTES);
      if (this.#filled < FRAME_HEAD_BYTES) return at;
      this.#grow(FRAME_HEAD_BYTES + this.#payloadLength(this.#partial!, 0));
    }
    at += this.#fill(chunk, at, this.#partial!.length);
    if (this.#filled === this.#partial!.length) {
      const frame = this.#partial!;
      this.#partial = undefined;
      this.#filled = 0;
      this.#emit(frame);
    }
    return at;
  }

  #fill(chunk: Buffer, from: number, until: number): number {
    const count = Math.min(chunk.length - from, until - this.#filled);
    chunk.copy(this.#partial!, this.#filled, from, from + count);
    this.#filled += count;
    return count;
  }

  #grow(size: number): void {
    const grown = Buffer.allocUnsafe(size);
    this.#partial!.copy(grown, 0, 0, this.#filled);
    this.#partial = grown;
  }

  #keep(rest: Buffer): void {
    const size = rest.length >= FRAME_HEAD_BYTES ? FRAME_HEAD_BYTES + this.#payloadLength(rest, 0) : FRAME_HEAD_BYTES;
    this.#partial = Buffer.allocUnsafe(size);
    rest.copy(this.#partial);
    this.#filled = rest.length;
  }

  #payloadLength(buffer: Buffer, at: number): number {
    const length = buffer.readUInt32LE(at);
    if (length > this.#maxPayloadBytes) throw new FrameError(`a frame of ${length} bytes is over the limit of ${this.#maxPayloadBytes}`);
    const kind = buffer[at + 4]!;
    if (!KNOWN_KINDS.has(kind)) throw new FrameError(`a frame has the unknown kind ${kind}`);
    return length;
  }

  #emit(frame: Buffer): void {
    this.#onFrame(frame[4] as FrameKind, streamOf(frame), frame.subarray(FRAME_HEAD_BYTES));
  }
}
