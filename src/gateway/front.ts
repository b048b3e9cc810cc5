/**
 * The first to see what comes over a connection. Plain requests to function URLs are read, answered and read again right on the socket;
 * with the first thing that is anything else the connection goes to the HTTP server, with all that has arrived, and stays there. node:http
 * takes more than half of what a small warm request costs the host: it allocates a stream for either direction of each request.
 *
 * Nothing is decided here that node:http would decide otherwise: `parsePlainRequest` only takes what leaves no choice.
 */
import type { Socket } from 'node:net';
import { ExpiringFifo, Fifo } from '../kernel/mod.ts';
import type { Clock, Linked } from '../kernel/mod.ts';
import { parsePlainRequest } from '../protocol/mod.ts';
import type { PlainHead, PlainRequest } from '../protocol/mod.ts';
import type { Gateway, PlainClient } from './gateway.ts';
import { isBodiless, plainAddress } from './reply.ts';

export type FrontOptions = {
  readonly serve: Gateway['servePlain'];
  readonly clock: Clock;
  readonly limits: { readonly headerBytes: number; readonly keepAliveTimeoutMs: number };
  readonly statusTexts: Readonly<Record<string, string | undefined>>;
};

/** Gives a connection, with nothing of what came over it lost, to the HTTP server. */
export type HandOver = (socket: Socket) => void;

export class Front {
  readonly #options: FrontOptions;
  /** Connections between two requests, those whose next bytes are due at once, and those whose request is being served. */
  readonly #idle: ExpiringFifo<Connection>;
  readonly #awaited: ExpiringFifo<Connection>;
  readonly #busy = new Fifo<Connection>();
  #stopped = false;
  #second = -1;
  /** What ends the head of an answer in this second, without and with a date. */
  #ending = '';
  #datedEnding = '';
  readonly #statusLines = new Map<number, string>();

  constructor(options: FrontOptions) {
    this.#options = options;
    const { clock, limits } = options;
    this.#idle = new ExpiringFifo({ clock, ttlMs: limits.keepAliveTimeoutMs, expire: (connection) => connection.end() });
    this.#awaited = new ExpiringFifo({ clock, ttlMs: AWAITED_MS, expire: (connection) => connection.leave() });
  }

  accept(socket: Socket, handOver: HandOver): void {
    this.await(new Connection(this, socket, handOver));
  }

  /** Ends connections on which nothing is going on; others end with their answer. */
  stop(): void {
    this.#stopped = true;
    for (const list of [this.#idle, this.#awaited]) {
      each(list, (connection) => connection.end());
      list.stop();
    }
  }

  destroyAll(): void {
    this.stop();
    each(this.#busy, (connection) => connection.destroy());
  }

  // For its connections

  get stopped(): boolean {
    return this.#stopped;
  }

  get headerBytes(): number {
    return this.#options.limits.headerBytes;
  }

  serve(request: PlainRequest, body: Buffer | undefined, connection: Connection): boolean {
    return this.#options.serve(request, body, connection);
  }

  rest(connection: Connection): void {
    this.#idle.add(connection, this.#options.clock.monotonicMs());
  }

  await(connection: Connection): void {
    this.#awaited.add(connection, this.#options.clock.monotonicMs());
  }

  engage(connection: Connection): void {
    this.#busy.push(connection);
  }

  head(status: number, headers: readonly string[], bodyBytes: number): string {
    let head = this.#statusLine(status);
    let dated = false;
    for (let i = 0; i < headers.length; i += 2) {
      const name = headers[i]!;
      if (name === 'date') dated = true;
      head += `${name}: ${headers[i + 1]!}\r\n`;
    }
    if (!isBodiless(status)) head += `content-length: ${bodyBytes}\r\n`;
    this.#tick();
    return head + (dated ? this.#ending : this.#datedEnding);
  }

  #statusLine(status: number): string {
    const known = this.#statusLines.get(status);
    if (known !== undefined) return known;
    const line = `HTTP/1.1 ${status} ${this.#options.statusTexts[status] ?? 'unknown'}\r\n`;
    this.#statusLines.set(status, line);
    return line;
  }

  #tick(): void {
    const nowMs = this.#options.clock.now();
    const second = Math.floor(nowMs / 1000);
    if (second === this.#second && !this.#stopped) return;
    this.#second = second;
    const seconds = Math.floor(this.#options.limits.keepAliveTimeoutMs / 1000);
    this.#ending = this.#stopped ? 'Connection: close\r\n\r\n' : `Connection: keep-alive\r\nKeep-Alive: timeout=${seconds}\r\n\r\n`;
    this.#datedEnding = `Date: ${new Date(nowMs).toUTCString()}\r\n${this.#ending}`;
  }
}

/** What does not come within this time, a first request or the rest of a body, is waited for by the HTTP server, and so is a larger body. */
const AWAITED_MS = 1_000;
const MAX_BODY_BYTES = 64 * 1024;
/** Of a body, for as long as a connection lasts, beside what is remembered of the headers before it. */
const MAX_KEPT_BYTES = 1024;

/** Members may leave meanwhile. */
function each(list: Fifo<Connection>, act: (connection: Connection) => void): void {
  for (let connection = list.first; connection;) {
    const { next } = connection;
    act(connection);
    connection = next;
  }
}

class Connection implements PlainClient, Linked<Connection> {
  previous: Connection | undefined;
  next: Connection | undefined;
  queue: Fifo<Connection> | undefined;
  dueMs = 0;
  readonly #front: Front;
  readonly #socket: Socket;
  readonly #handOver: HandOver;
  #busy = false;
  /** What has arrived and waits: for the rest of a body, or for the answer before it. */
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  /** What came with the last request. */
  #head: PlainHead | undefined;
  /** The request whose body is being waited for. */
  #request: PlainRequest | undefined;
  #onGone: (() => void) | undefined;
  #sourceIp: string | undefined;

  constructor(front: Front, socket: Socket, handOver: HandOver) {
    this.#front = front;
    this.#socket = socket;
    this.#handOver = handOver;
    socket.on('data', this.#arrived);
    socket.on('end', this.#ended);
    socket.on('close', this.#closed);
    socket.on('error', ignore);
  }

  get sourceIp(): string {
    return (this.#sourceIp ??= plainAddress(this.#socket.remoteAddress));
  }

  get port(): number {
    return this.#socket.localPort ?? 0;
  }

  get open(): boolean {
    return this.#busy && !this.#socket.destroyed;
  }

  send(status: number, headers: readonly string[], body: string | Buffer): void {
    const socket = this.#socket;
    const isText = typeof body === 'string';
    const bytes = isText ? Buffer.byteLength(body) : body.length;
    const head = this.#front.head(status, headers, bytes);
    let roomy: boolean;
    if (isBodiless(status) || bytes === 0) roomy = socket.write(head, 'latin1');
    // One byte for each character: the head, which is Latin-1, may stay before it.
    else if (isText && bytes === body.length) roomy = socket.write(head + body, 'latin1');
    else {
      socket.cork();
      socket.write(head, 'latin1');
      roomy = isText ? socket.write(body, 'utf8') : socket.write(body);
      socket.uncork();
    }
    this.#onGone = undefined;
    if (this.#front.stopped) socket.destroySoon();
    // Whoever does not read its answers gets no more of them.
    else if (roomy) this.#free();
    else socket.once('drain', this.#free);
  }

  onGone(gone: () => void): void {
    this.#onGone = gone;
  }

  destroy(): void {
    this.#socket.destroy();
  }

  end(): void {
    this.queue?.remove(this);
    this.#socket.destroySoon();
  }

  /** Goes on at the HTTP server. */
  leave(): void {
    const socket = this.#socket;
    this.queue?.remove(this);
    socket.off('data', this.#arrived);
    socket.off('end', this.#ended);
    socket.off('close', this.#closed);
    socket.off('error', ignore);
    socket.pause();
    if (this.#waitingBytes > 0) socket.unshift(this.#take());
    this.#handOver(socket);
    socket.resume();
  }

  readonly #arrived = (chunk: Buffer): void => {
    if (this.#busy) {
      this.#keep(chunk);
      this.#socket.pause();
    } else if (this.#request) {
      this.#keep(chunk);
      this.#continue(this.#request);
    } else {
      this.#read(chunk);
    }
  };

  readonly #free = (): void => {
    this.#busy = false;
    this.queue?.remove(this);
    if (this.#socket.destroyed) return;
    this.#front.rest(this);
    if (this.#waitingBytes === 0) return;
    const waiting = this.#take();
    this.#socket.resume();
    this.#read(waiting);
  };

  /** The client sends nothing more: as with node:http, it is taken to have gone. */
  readonly #ended = (): void => {
    this.#socket.destroySoon();
  };

  readonly #closed = (): void => {
    this.queue?.remove(this);
    this.#onGone?.();
    this.#onGone = undefined;
  };

  /** A request that begins with `chunk`. */
  #read(chunk: Buffer): void {
    const request = parsePlainRequest(chunk.toString('latin1'), this.#head);
    const bodyBytes = request?.head.bodyBytes ?? 0;
    if (!request || request.bodyAt > this.#front.headerBytes || bodyBytes > MAX_BODY_BYTES) {
      this.#keep(chunk);
      return this.leave();
    }
    // What is kept of a text keeps all of it.
    this.#head = chunk.length - request.bodyAt <= MAX_KEPT_BYTES ? request.head : undefined;
    if (chunk.length === request.bodyAt + bodyBytes) this.#serve(request, chunk);
    else {
      this.#request = request;
      this.#keep(chunk);
      this.queue?.remove(this);
      this.#front.await(this);
    }
  }

  #continue(request: PlainRequest): void {
    const missing = request.bodyAt + request.head.bodyBytes - this.#waitingBytes;
    if (missing > 0) return;
    this.#request = undefined;
    // More than one request: whoever sends ahead is served by the HTTP server.
    if (missing < 0) this.leave();
    else this.#serve(request, this.#take());
  }

  #serve(request: PlainRequest, bytes: Buffer): void {
    this.queue?.remove(this);
    this.#front.engage(this);
    this.#busy = true;
    if (this.#front.serve(request, request.head.bodyBytes === 0 ? undefined : bytes.subarray(request.bodyAt), this)) return;
    this.#busy = false;
    this.#keep(bytes);
    this.leave();
  }

  #keep(chunk: Buffer): void {
    this.#waiting.push(chunk);
    this.#waitingBytes += chunk.length;
  }

  #take(): Buffer {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    return waiting.length === 1 ? waiting[0]! : Buffer.concat(waiting);
  }
}

/** What went wrong is followed by the end of the connection, which counts. */
const ignore = (): void => {};
