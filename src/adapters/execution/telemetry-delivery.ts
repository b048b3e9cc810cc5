import { Agent, request } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock } from '../../kernel/mod.ts';
import type { Destination } from './telemetry-subscription.ts';

/** Connects to a port inside the environment. */
export type Connect = (port: number) => Promise<Socket>;

/** Brings batches to one listener. */
export interface Delivery {
  /** Resolves when the listener has them, as far as that can be known. */
  send(events: readonly string[]): Promise<void>;
  close(): void;
}

export type DeliveryOptions = { readonly connect: Connect; readonly clock: Clock };

/** How long a listener may take to answer. The environment may stand still meanwhile: then it counts as not answered, and is asked again. */
const ANSWER_MS = 5_000;
/** Of an answer nothing is needed but its status. */
const ANSWER_BYTES = 64 * 1024;

export const deliveryTo = (destination: Destination, options: DeliveryOptions): Delivery =>
  destination.protocol === 'HTTP' ? new HttpDelivery(destination, options) : new TcpDelivery(destination.port, options);

/** Each batch is a POST of a JSON array. */
class HttpDelivery implements Delivery {
  readonly #options: DeliveryOptions;
  readonly #destination: Destination & { readonly protocol: 'HTTP' };
  readonly #agent: Agent;

  constructor(destination: Destination & { readonly protocol: 'HTTP' }, options: DeliveryOptions) {
    this.#destination = destination;
    this.#options = options;
    this.#agent = new InsideAgent(() => options.connect(destination.port));
  }

  send(events: readonly string[]): Promise<void> {
    const body = Buffer.from(`[${events.join(',')}]`);
    const { port, path } = this.#destination;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const headers = { 'content-type': 'application/json', 'content-length': body.length, host: `sandbox.localdomain:${port}` };
    const posted = request({ agent: this.#agent, method: 'POST', path, headers });
    const patience = this.#options.clock.after(ANSWER_MS, () => posted.destroy(new Error('the listener did not answer')));
    posted.on('response', (response) => {
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > ANSWER_BYTES) posted.destroy(new Error('the listener answered too much'));
      });
      response.on('error', reject);
      response.on('end', () => {
        if (response.statusCode! >= 200 && response.statusCode! < 300) resolve();
        else reject(new Error(`the listener answered ${response.statusCode}`));
      });
    });
    posted.on('error', reject);
    // After an answer this says nothing new.
    posted.on('close', () => {
      patience.cancel();
      reject(new Error('the connection broke off'));
    });
    posted.end(body);
    return promise;
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** Connections are made inside the environment, one at a time. */
class InsideAgent extends Agent {
  readonly #connect: () => Promise<Socket>;

  constructor(connect: () => Promise<Socket>) {
    super({ keepAlive: true, maxSockets: 1 });
    this.#connect = connect;
  }

  override createConnection(_: object, done?: (error: Error | null, socket: Socket) => void): null {
    this.#connect().then(
      (socket) => done!(null, socket),
      (error: Error) => done!(error, undefined as never),
    );
    return null;
  }
}

/** Events by line, over one connection. */
class TcpDelivery implements Delivery {
  readonly #options: DeliveryOptions;
  readonly #port: number;
  #socket: Socket | undefined;
  #closed = false;

  constructor(port: number, options: DeliveryOptions) {
    this.#port = port;
    this.#options = options;
  }

  async send(events: readonly string[]): Promise<void> {
    const socket = this.#socket ?? (await this.#open());
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const lost = () => reject(new Error('the connection broke off'));
    socket.once('close', lost);
    // Called when the kernel has taken all of it: who reads slowly is waited for.
    socket.write(events.map((event) => `${event}\n`).join(''), (error) => {
      socket.off('close', lost);
      if (error) reject(error);
      else resolve();
    });
    await promise;
  }

  close(): void {
    this.#closed = true;
    this.#socket?.end();
    const socket = this.#socket;
    this.#options.clock.after(ANSWER_MS, () => socket?.destroy());
  }

  async #open(): Promise<Socket> {
    const socket = await this.#options.connect(this.#port);
    if (this.#closed) {
      socket.destroy();
      throw new Error('the environment is gone');
    }
    this.#socket = socket;
    // What the listener says is nobody's.
    socket.resume();
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      if (this.#socket === socket) this.#socket = undefined;
    });
    return socket;
  }
}
