import { Socket } from 'node:net';
import type { Clock } from '../../kernel/mod.ts';
import type { Exit } from '../../ports/mod.ts';
import { libc } from '../../../runtimes/ladder/libc.ts';
import { pipe } from '../../../runtimes/ladder/messages.ts';
import type { Record } from '../../../runtimes/ladder/messages.ts';
import { NEVER_BEGAN, RECORD } from '../../../runtimes/ladder/orders.ts';
import type { KeeperMessage } from '../../../runtimes/ladder/orders.ts';
import type { Doorway } from './doorway.ts';
import { exitOf } from './exits.ts';
import { Output } from './output.ts';

/** What is to run beside a function, and who hears of it. */
export type Beside = {
  /** Files in /opt/extensions. */
  readonly names: readonly string[];
  /** What they write, all together. */
  readonly onChunk: (chunk: Buffer) => void;
  /** Undefined: it could not begin. */
  readonly onEnded: (name: string, exit: Exit | undefined) => void;
};

export type InsideOptions = {
  readonly clock: Clock;
  readonly doorway: Doorway | undefined;
  readonly send: (message: KeeperMessage) => void;
};

/** Connections asked for that the keeper has not answered yet. */
const CONNECTING = 64;

/** What is in a sandbox beside its template and its instances: extensions, and listeners that the host connects to. */
export class Inside {
  readonly #options: InsideOptions;
  readonly #connecting = new Map<number, PromiseWithResolvers<Socket>>();
  #beside: Beside | undefined;
  #output: Output | undefined;
  #nextId = 1;
  #closed = false;

  constructor(options: InsideOptions) {
    this.#options = options;
  }

  /** The function is known. Returns descriptors for the template: what extensions write to. */
  begin(beside: Beside | undefined): readonly number[] {
    if (!beside || beside.names.length === 0) return [];
    this.#beside = beside;
    const [reading, writing] = pipe();
    this.#output = new Output(reading, this.#options.clock, beside.onChunk);
    return [writing];
  }

  /** The template goes on: all extensions have registered. */
  startFunction(): void {
    if (!this.#closed) this.#options.send({ do: 'start' });
  }

  /** A signal for the template, which serves. */
  signal(signal: number): void {
    if (!this.#closed) this.#options.send({ do: 'signal', signal });
  }

  /** Stops all that runs in it (true), or lets it go on. */
  freeze(frozen: boolean): void {
    if (!this.#closed) this.#options.send({ do: 'freeze', frozen });
  }

  /** Connects to a listener in the sandbox. Nobody has to accept before this resolves: what is wrong may be heard only from the socket. */
  connect(port: number): Promise<Socket> {
    if (this.#closed || this.#connecting.size >= CONNECTING) return Promise.reject(new Error(`port ${port} can't be reached`));
    const id = this.#nextId++;
    const connecting = Promise.withResolvers<Socket>();
    this.#connecting.set(id, connecting);
    this.#options.send({ do: 'connect', id, port });
    return connecting.promise;
  }

  flushOutput(): void {
    this.#output?.flush();
  }

  hear({ kind, a, b }: Record): void {
    if (kind === RECORD.connected) this.#connected(a, b);
    else if (kind === RECORD.extensionEnded) {
      const name = this.#beside?.names[a];
      // Whose end it is must not be heard before what it has written.
      this.#output?.flush();
      if (name !== undefined) this.#beside!.onEnded(name, b === NEVER_BEGAN ? undefined : exitOf(b));
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#output?.close();
    for (const { reject } of this.#connecting.values()) reject(new Error('the sandbox is gone'));
    this.#connecting.clear();
  }

  #connected(id: number, errno: number): void {
    const fd = errno === 0 ? this.#options.doorway?.take() : undefined;
    const connecting = this.#connecting.get(id);
    this.#connecting.delete(id);
    if (fd === undefined) connecting?.reject(new Error(`nobody listens there (errno ${errno})`));
    else if (connecting) connecting.resolve(new Socket({ fd, readable: true, writable: true }));
    else libc.close(fd);
  }
}
