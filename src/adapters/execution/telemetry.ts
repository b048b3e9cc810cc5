import type { Clock } from '../../kernel/mod.ts';
import { deliveryTo } from './telemetry-delivery.ts';
import type { Connect } from './telemetry-delivery.ts';
import type { TelemetryEvent } from './telemetry-event.ts';
import { Subscriber } from './telemetry-subscriber.ts';
import type { Subscription } from './telemetry-subscription.ts';

export type TelemetryOptions = {
  readonly clock: Clock;
  readonly connect: Connect;
  /** The function's log is in JSON: lines that are such objects are told as objects. */
  readonly json: boolean;
};

/** What happens before anybody has subscribed is told to who subscribes later, as far as init goes. */
const HISTORY_ITEMS = 1_000;
const HISTORY_BYTES = 256 * 1024;

/** What one environment tells its extensions. */
export class Telemetry {
  readonly #options: TelemetryOptions;
  readonly #subscribers = new Map<string, Subscriber>();
  #history: { readonly timeMs: number; readonly event: TelemetryEvent }[] | undefined = [];
  #historyBytes = 0;

  constructor(options: TelemetryOptions) {
    this.#options = options;
  }

  /** Whether there still can be, or is, somebody who hears. */
  get heard(): boolean {
    return this.#history !== undefined || this.#subscribers.size > 0;
  }

  /** From now on an extension gets what it has asked for, and what has happened so far; another subscription takes the place of its first. */
  subscribe(name: string, subscription: Subscription): 'Subscribed' | 'Already subscribed' {
    const { clock, connect } = this.#options;
    const before = this.#subscribers.get(name);
    before?.close();
    const subscriber = new Subscriber({ subscription, clock, delivery: deliveryTo(subscription.destination, { connect, clock }) });
    this.#subscribers.set(name, subscriber);
    if (!before) for (const { timeMs, event } of this.#history ?? []) subscriber.push(timeMs, event);
    return before ? 'Already subscribed' : 'Subscribed';
  }

  tell(type: string, record: object | string): void {
    if (!this.heard) return;
    const timeMs = this.#options.clock.now();
    const event = { type, record };
    this.#remember(timeMs, event);
    for (const subscriber of this.#subscribers.values()) subscriber.push(timeMs, event);
  }

  line(type: 'function' | 'extension', text: string): void {
    if (this.heard) this.tell(type, this.#options.json ? objectOf(text) : text);
  }

  /** Nobody subscribes any more. */
  closeSubscription(): void {
    this.#history = undefined;
  }

  stand(still: boolean): void {
    for (const subscriber of this.#subscribers.values()) subscriber.stand(still);
  }

  async flush(): Promise<void> {
    await Promise.all([...this.#subscribers.values()].map((subscriber) => subscriber.flush()));
  }

  close(): void {
    this.#history = undefined;
    for (const subscriber of this.#subscribers.values()) subscriber.close();
    this.#subscribers.clear();
  }

  #remember(timeMs: number, event: TelemetryEvent): void {
    if (!this.#history) return;
    const bytes = typeof event.record === 'string' ? Buffer.byteLength(event.record) : 0;
    if (this.#history.length >= HISTORY_ITEMS || this.#historyBytes + bytes > HISTORY_BYTES) return;
    this.#historyBytes += bytes;
    this.#history.push({ timeMs, event });
  }
}

function objectOf(text: string): object | string {
  if (!text.startsWith('{')) return text;
  try {
    return JSON.parse(text) as object;
  } catch {
    // It only looks like one.
    return text;
  }
}
