/** One request at a function URL on its way through the engine: turns what comes back into the HTTP answer. */
import type { ServerResponse } from 'node:http';
import type { EngineListener, InvocationHandle, Outcome } from '../engine/mod.ts';
import type { Log } from '../kernel/mod.ts';
import { decodePrelude, decodeUrlResponse } from '../protocol/mod.ts';
import type { StreamHead } from '../protocol/mod.ts';
import { failureOf, sendFailure } from './answer.ts';
import { withCors } from './cors.ts';
import type { Reply } from './reply.ts';

const BAD_GATEWAY = { status: 502, message: 'Internal Server Error' } as const;

export type ExchangeContext = {
  readonly reply: Reply;
  readonly requestId: string;
  readonly trace: string;
  /** Added to every answer. */
  readonly cors: readonly string[];
  readonly log: Log;
};

/** Answers once the whole response is there. Has no `streamChunk`, so the engine collects what a streaming function writes. */
export class BufferedExchange implements EngineListener {
  readonly #context: ExchangeContext;
  #streamed: StreamHead | undefined;
  #ended = false;

  constructor(context: ExchangeContext) {
    this.#context = context;
  }

  /** May come after the end: an engine that refuses does so at once. */
  begun(handle: InvocationHandle): void {
    if (this.#ended) return;
    this.#context.reply.onGone(() => {
      if (!this.#ended) handle.abandon();
    });
  }

  streamHead(head: StreamHead): void {
    this.#streamed = head;
  }

  end(outcome: Outcome): void {
    this.#ended = true;
    orFail(this.#context, () => this.#end(outcome));
  }

  #end(outcome: Outcome): void {
    const { reply } = this.#context;
    if (!reply.open) return;
    if (outcome.kind === 'answered') return this.#answer(outcome.payload);
    if (outcome.kind === 'streamed') return sendFailure(reply, BAD_GATEWAY, heads(this.#context));
    sendFailure(reply, failureOf(outcome), heads(this.#context));
  }

  #answer(payload: Buffer): void {
    const context = this.#context;
    const prelude = this.#streamed?.prelude;
    // A streaming function behind a buffered URL. Without a prelude, what it wrote is taken as an ordinary answer.
    const head = prelude && decodePrelude(prelude, this.#streamed!.contentType);
    const answer = prelude ? head && { ...head, body: Buffer.from(payload) } : decodeUrlResponse(payload);
    if (!answer) {
      context.log.debug({ requestId: context.requestId }, 'the function returned what is no HTTP response');
      return sendFailure(context.reply, BAD_GATEWAY, heads(context));
    }
    context.reply.send(answer.status, withHeads(context, answer.headers), answer.body);
  }
}

/** Passes chunks on as they come, no faster than they are read. */
export class StreamedExchange implements EngineListener {
  readonly #context: ExchangeContext;
  readonly #response: ServerResponse;
  #handle: InvocationHandle | undefined;
  #begun = false;
  #broken = false;
  #ended = false;
  #paused = false;

  constructor(context: ExchangeContext, response: ServerResponse) {
    this.#context = context;
    this.#response = response;
  }

  begun(handle: InvocationHandle): void {
    if (this.#ended) return;
    this.#handle = handle;
    this.#response.on('close', () => {
      if (!this.#ended) handle.abandon();
    });
    this.#response.on('drain', () => {
      this.#paused = false;
      handle.resume();
    });
    // Chunks may have come before there was a handle to hold them back by.
    if (this.#paused) handle.pause();
  }

  streamHead(head: StreamHead): void {
    const context = this.#context;
    const decoded = decodePrelude(head.prelude ?? {}, head.contentType);
    if (!decoded) {
      this.#broken = true;
      return sendFailure(context.reply, BAD_GATEWAY, heads(context));
    }
    this.#begun = true;
    this.#response.writeHead(decoded.status, withHeads(context, decoded.headers));
    // Sent now: the first chunk may be long in coming.
    this.#response.flushHeaders();
  }

  streamChunk(chunk: Buffer): void {
    const response = this.#response;
    if (this.#broken || response.destroyed || chunk.length === 0) return;
    // The view is only ours during this call.
    if (response.write(Buffer.from(chunk)) || this.#paused) return;
    this.#paused = true;
    this.#handle?.pause();
  }

  end(outcome: Outcome): void {
    this.#ended = true;
    orFail(this.#context, () => this.#end(outcome));
  }

  #end(outcome: Outcome): void {
    const context = this.#context;
    const { reply } = context;
    const response = this.#response;
    if (this.#broken || response.destroyed) return;
    switch (outcome.kind) {
      case 'streamed':
        // Whoever reads must not take the part for the whole: no regular end for a stream that broke off.
        if (outcome.error) return this.#begun ? void response.destroy() : sendFailure(reply, BAD_GATEWAY, heads(context));
        if (!this.#begun) response.writeHead(200, withHeads(context, ['content-type', 'application/octet-stream']));
        return void response.end();
      case 'answered': {
        // The function doesn't stream.
        const answer = decodeUrlResponse(outcome.payload);
        if (!answer) return sendFailure(reply, BAD_GATEWAY, heads(context));
        return reply.send(answer.status, withHeads(context, answer.headers), answer.body);
      }
      case 'functionError':
      case 'refused':
        return sendFailure(reply, failureOf(outcome), heads(context));
    }
  }
}

/** Whatever goes wrong with an answer, the client gets one. */
function orFail(context: ExchangeContext, answer: () => void): void {
  try {
    answer();
  } catch (error) {
    context.log.error({ error, requestId: context.requestId }, 'an answer could not be sent');
    sendFailure(context.reply, BAD_GATEWAY, heads(context));
  }
}

function heads(context: ExchangeContext): string[] {
  return ['x-amzn-requestid', context.requestId, ...context.cors];
}

function withHeads(context: ExchangeContext, headers: string[]): string[] {
  headers.push('x-amzn-requestid', context.requestId, 'x-amzn-trace-id', context.trace);
  return context.cors.length === 0 ? headers : withCors(headers, context.cors);
}
