import type { Channel } from './channel.ts';
import { KIND } from './channel.ts';
import type { Head, Output } from './edge-response.ts';
import { RuntimeError } from './errors.ts';
import type { Streamed } from './invocation.ts';
import { sendChunks } from './streaming.ts';

const { stringify } = JSON;
const { Promise: NativePromise } = globalThis;

/** A streamed answer as frames. */
export class FrameOutput implements Output, Streamed {
  begun = false;
  readonly #channel: Channel;
  readonly #stream: number;
  #sealed = false;

  constructor(channel: Channel, stream: number) {
    this.#channel = channel;
    this.#stream = stream;
  }

  begin(prelude: Head): void {
    if (this.#sealed) return;
    this.begun = true;
    // Without a default for what the prelude says nothing of.
    this.#channel.sendText(KIND.streamHead, this.#stream, 0, 0, stringify({ contentType: '', prelude }));
  }

  write(chunk: Uint8Array): void {
    if (!this.#sealed) sendChunks(this.#channel, this.#stream, chunk);
  }

  drained(): Promise<void> {
    return new NativePromise((resolve, reject) => {
      if (this.#sealed) reject(new RuntimeError('InvalidStreamingOperation', 'The response has ended.'));
      else this.#channel.drained(resolve);
    });
  }

  seal(): void {
    this.#sealed = true;
  }
}
