import type { ServerResponse } from 'node:http';

/** Where one answer goes that is there as a whole. */
export interface Reply {
  /** False: the client is gone, or an answer has begun. */
  readonly open: boolean;
  /**
   * Names in lower case and values in turn, without those that are about the connection, and without content-length. The values are known
   * to be fit for a header.
   */
  send(status: number, headers: readonly string[], body: string | Buffer): void;
  /** Calls back when the connection ends, also after the answer. */
  onGone(gone: () => void): void;
  /** Breaks the connection off. */
  destroy(): void;
}

/** Neither has a body, and a length would be taken for that of one. */
export const isBodiless = (status: number): boolean => status === 204 || status === 304;

/** An answer by node:http. */
export class HttpReply implements Reply {
  readonly #response: ServerResponse;

  constructor(response: ServerResponse) {
    this.#response = response;
  }

  get open(): boolean {
    return !this.#response.destroyed && !this.#response.headersSent;
  }

  send(status: number, headers: readonly string[], body: string | Buffer): void {
    if (isBodiless(status)) this.#response.writeHead(status, [...headers]).end();
    else this.#response.writeHead(status, [...headers, 'content-length', String(Buffer.byteLength(body))]).end(body);
  }

  onGone(gone: () => void): void {
    this.#response.on('close', gone);
  }

  destroy(): void {
    this.#response.destroy();
  }
}

/** IPv4 addresses at an IPv6 socket come as `::ffff:127.0.0.1`. */
export function plainAddress(address: string | undefined): string {
  if (address === undefined) return '';
  return address.startsWith('::ffff:') ? address.slice(7) : address;
}
