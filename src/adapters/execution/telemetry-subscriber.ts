import type { Clock, Timer } from '../../kernel/mod.ts';
import type { Delivery } from './telemetry-delivery.ts';
import { DROPPED, encodeEvent, eventFor } from './telemetry-event.ts';
import type { TelemetryEvent } from './telemetry-event.ts';
import type { Subscription } from './telemetry-subscription.ts';

export type SubscriberOptions = {
  readonly subscription: Subscription;
  readonly delivery: Delivery;
  readonly clock: Clock;
};

/** After a delivery that failed, and doubled with each further one. */
const RETRY_MS = 100;
const RETRY_MAX_MS = 5_000;
/** Of all subscribers of this host together: their buffers are its memory, not the functions'. */
const ALL_BYTES = 256 * 1024 * 1024;
let heldBytes = 0;

/**
 * What one subscriber is to get: collected in a buffer, brought in batches, one at a time. Nobody waits for it: what has no room while a batch
 * is on its way is dropped, counted, and told.
 */
export class Subscriber {
  readonly #options: SubscriberOptions;
  /** Encoded. */
  #buffer: string[] = [];
  #bytes = 0;
  /** On its way, or to be tried again. */
  #batch: { readonly events: readonly string[]; readonly bytes: number } | undefined;
  #failures = 0;
  #timer: Timer | undefined;
  /** Should be delivered as soon as that can be. */
  #due = false;
  #still = false;
  /** The batch is to be tried again as soon as the environment goes on. */
  #held = false;
  #closed = false;
  #dropped = { records: 0, bytes: 0 };
  #idle: (() => void)[] = [];

  constructor(options: SubscriberOptions) {
    this.#options = options;
  }

  push(timeMs: number, event: TelemetryEvent): void {
    const { subscription } = this.#options;
    const own = eventFor(event, subscription);
    if (!own || this.#closed) return;
    const text = encodeEvent(timeMs, own);
    const bytes = Buffer.byteLength(text);
    if (this.#full(bytes)) this.#deliver();
    if (this.#full(bytes) || heldBytes + bytes > ALL_BYTES) {
      this.#dropped.records++;
      this.#dropped.bytes += bytes;
      return;
    }
    this.#add(text, bytes);
    if (this.#buffer.length >= subscription.maxItems || this.#bytes >= subscription.maxBytes) this.#deliver();
    else if (!this.#batch) this.#timer ??= this.#options.clock.after(subscription.timeoutMs, () => this.#deliver());
  }

  /** Delivers what there is as soon as that can be. Resolves when there is nothing more, or nobody who takes it. */
  flush(): Promise<void> {
    if (this.#buffer.length === 0 && !this.#batch) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#idle.push(resolve);
    this.#deliver();
    return promise;
  }

  /** The environment stands still (true), and nobody there takes anything, or goes on. */
  stand(still: boolean): void {
    this.#still = still;
    if (still) return;
    if (this.#held) this.#send();
    else if (this.#due) this.#deliver();
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    heldBytes -= this.#bytes + (this.#batch?.bytes ?? 0);
    this.#buffer = [];
    this.#batch = undefined;
    this.#held = false;
    this.#bytes = 0;
    this.#options.delivery.close();
    this.#settle();
  }

  /** One event always has a place. */
  #full(bytes: number): boolean {
    const { maxItems, maxBytes } = this.#options.subscription;
    return this.#buffer.length > 0 && (this.#buffer.length >= maxItems || this.#bytes + bytes > maxBytes);
  }

  #add(text: string, bytes: number): void {
    this.#buffer.push(text);
    this.#bytes += bytes;
    heldBytes += bytes;
  }

  #deliver(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#due = true;
    if (this.#still || this.#closed || this.#batch || this.#buffer.length === 0) return;
    this.#batch = { events: this.#buffer, bytes: this.#bytes };
    this.#buffer = [];
    this.#bytes = 0;
    this.#due = false;
    this.#send();
  }

  #send(): void {
    const batch = this.#batch!;
    this.#held = false;
    this.#options.delivery.send(batch.events).then(
      () => this.#delivered(batch),
      () => this.#failed(batch),
    );
  }

  #delivered(batch: object): void {
    if (this.#batch !== batch) return;
    heldBytes -= this.#batch.bytes;
    this.#batch = undefined;
    this.#failures = 0;
    this.#tellDropped();
    if (this.#buffer.length === 0) this.#settle();
    else if (this.#due || this.#idle.length > 0) this.#deliver();
    else this.#timer ??= this.#options.clock.after(this.#options.subscription.timeoutMs, () => this.#deliver());
  }

  #failed(batch: object): void {
    if (this.#batch !== batch) return;
    this.#failures++;
    // Who waits for the end waits for nobody who is not there.
    this.#settle();
    const delayMs = Math.min(RETRY_MS * 2 ** (this.#failures - 1), RETRY_MAX_MS);
    this.#options.clock.after(delayMs, () => this.#batch === batch && this.#sendAgain());
  }

  /** Each try would wait in the listener's queue while that stands still, and be read when it goes on: it would have all of them. */
  #sendAgain(): void {
    if (this.#still) this.#held = true;
    else this.#send();
  }

  #tellDropped(): void {
    const { records, bytes } = this.#dropped;
    if (records === 0) return;
    this.#dropped = { records: 0, bytes: 0 };
    const reason = 'Consumer seems to have fallen behind as it has not acknowledged receipt of logs.';
    const event = { type: DROPPED, record: { droppedRecords: records, droppedBytes: bytes, reason } };
    const text = encodeEvent(this.#options.clock.now(), event);
    this.#add(text, Buffer.byteLength(text));
  }

  #settle(): void {
    for (const resolve of this.#idle.splice(0)) resolve();
  }
}
