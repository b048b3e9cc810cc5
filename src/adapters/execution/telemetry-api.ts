/** The Lambda Telemetry API, version 2022-07-01, and the Logs API before it, version 2020-08-15, of one execution environment. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Extension } from './extension.ts';
import { NOT_FOUND, bodyOf, refuse, reply, tooLarge } from './reply.ts';
import { readSubscription } from './telemetry-subscription.ts';
import type { Subscription, TelemetryDialect } from './telemetry-subscription.ts';

export type TelemetryApiOptions = {
  /** Who has sent a request; undefined: nobody known, and that was said. */
  readonly sender: (request: IncomingMessage, response: ServerResponse) => Extension | undefined;
  readonly subscribe: (extension: Extension, subscription: Subscription) => void;
  /** The port of these APIs, where nobody else listens. */
  readonly port: () => number;
};

const BODY_BYTES = 64 * 1024;
const PATHS: Readonly<Record<string, TelemetryDialect>> = {
  '/2022-07-01/telemetry': 'telemetry',
  '/2022-07-01/telemetry/': 'telemetry',
  '/2020-08-15/logs': 'logs',
  '/2020-08-15/logs/': 'logs',
};
const NAMES = { telemetry: 'Telemetry', logs: 'Logs' } as const;

export class TelemetryApi {
  readonly #options: TelemetryApiOptions;
  #open = true;

  constructor(options: TelemetryApiOptions) {
    this.#options = options;
  }

  /** Whether a request is one to these APIs. */
  static owns(path: string): boolean {
    return Object.hasOwn(PATHS, path);
  }

  /** Init is done: nobody can subscribe any more. */
  close(): void {
    this.#open = false;
  }

  handle(request: IncomingMessage, response: ServerResponse): void {
    if (request.method === 'PUT') void this.#subscribe(PATHS[request.url!]!, request, response);
    else refuse(response, NOT_FOUND);
  }

  async #subscribe(dialect: TelemetryDialect, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const extension = this.#options.sender(request, response);
    if (!extension) return;
    const body = await bodyOf(request, BODY_BYTES);
    if (body === 'too large') return refuse(response, tooLarge(BODY_BYTES));
    const name = NAMES[dialect];
    if (!this.#open) {
      const errorMessage = `${name} API subscription is closed already`;
      return refuse(response, { status: 403, errorType: `${name}.SubscriptionClosed`, errorMessage });
    }
    if (extension.subscribedBy !== undefined && extension.subscribedBy !== dialect)
      return refuse(response, invalid(`${extension.name} has subscribed by the ${NAMES[extension.subscribedBy]} API already`));
    const subscription = readSubscription(Buffer.isBuffer(body) ? body.toString() : '', dialect, this.#options.port());
    if (typeof subscription === 'string') return refuse(response, invalid(subscription));
    extension.subscribedBy = dialect;
    this.#options.subscribe(extension, subscription);
    reply(response, 200, 'OK');
  }
}

const invalid = (errorMessage: string) => ({ status: 400, errorType: 'ValidationError', errorMessage });
