/**
 * Users that no account has, one for each sandbox. The kernel counts processes by user, so two hosts on one machine must not have the
 * same: each claims a range, by binding an abstract Unix socket of its name, which the kernel gives back when the host ends, however that is.
 */
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { Server } from 'node:net';

const FIRST = 2_000_000_000;
/** All of them are below 2^31, which older tools take for the end. */
const RANGES = 2_048;
export const RANGE_USERS = 65_536;
/** Somebody may have bound the names out of malice. By then a range nobody else has drawn is likely enough. */
const TRIES = 32;

export type UsersOptions = {
  /** Draws a range, 0 to `limit` - 1. */
  readonly draw?: (limit: number) => number;
};

export class Users {
  readonly first: number;
  readonly #claim: Server | undefined;
  readonly #taken = new Set<number>();
  #next = 0;

  /** Claims a range that no other host of this machine has. Drawn, so that one whose sandboxes are still ending is not taken at once. */
  static async claim({ draw = (limit) => randomInt(limit) }: UsersOptions = {}): Promise<Users> {
    for (let tries = 1; ; tries++) {
      const first = FIRST + draw(RANGES) * RANGE_USERS;
      const claim = await bind(`\0hearth-users-${first}`);
      if (claim || tries >= TRIES) return new Users(first, claim);
    }
  }

  private constructor(first: number, claim: Server | undefined) {
    this.first = first;
    this.#claim = claim;
  }

  /** A user of no living sandbox. More sandboxes than users: one of them shares its own. */
  take(): number {
    for (let tries = 0; tries < RANGE_USERS; tries++) {
      const user = this.first + (this.#next++ % RANGE_USERS);
      if (this.#taken.has(user)) continue;
      this.#taken.add(user);
      return user;
    }
    return this.first;
  }

  giveBack(user: number): void {
    this.#taken.delete(user);
  }

  close(): void {
    this.#claim?.close();
  }
}

/** Undefined where somebody has that name. */
async function bind(path: string): Promise<Server | undefined> {
  const server = createServer((socket) => socket.destroy());
  server.unref();
  server.listen({ path, exclusive: true });
  try {
    await once(server, 'listening');
    return server;
  } catch {
    return undefined;
  }
}
