import type { Log } from '../kernel/mod.ts';
import type { Blobs } from '../ports/mod.ts';
import type { CodeStore } from './code-store.ts';

export type CodeKeeperOptions = {
  readonly blobs: Blobs;
  readonly code: CodeStore;
  /** Hears of packages that could not be removed. */
  readonly log: Log;
  /** The SHA-256 of every package that a record refers to. */
  readonly inUse: () => ReadonlySet<string>;
  /** False: a commit failed, and what it refers to may be in the store all the same. */
  readonly certain: () => boolean;
};

/** Keeps stored packages, of functions and of layers, exactly as long as somebody needs them. */
export class CodeKeeper {
  readonly #options: CodeKeeperOptions;
  /** Packages that are kept though perhaps no record refers to them, and by how many. */
  readonly #held = new Map<string, number>();

  constructor(options: CodeKeeperOptions) {
    this.#options = options;
  }

  /**
   * Keeps a package from being removed, be it stored already or about to be. Returns how to let it go: when nobody else holds it and no
   * record refers to it then, it is removed from the blobs and from what is unpacked. That never rejects; failures are logged.
   */
  hold(sha256: string): () => Promise<void> {
    this.#held.set(sha256, (this.#held.get(sha256) ?? 0) + 1);
    let released = false;
    return async () => {
      if (released) return;
      released = true;
      const holders = this.#held.get(sha256)! - 1;
      if (holders > 0) this.#held.set(sha256, holders);
      else this.#held.delete(sha256);
      if (holders === 0 && !this.#options.inUse().has(sha256)) await this.#remove(sha256);
    };
  }

  /** Removes all packages that no record refers to: what a process left that was killed. The blobs hold nothing but packages. */
  async sweep(): Promise<void> {
    const { blobs, code, inUse } = this.#options;
    const found = new Set(await code.list());
    for await (const sha256 of blobs.list()) found.add(sha256);
    const used = inUse();
    // Held for a moment: letting go looks again whether it is wanted now.
    for (const sha256 of found) if (!used.has(sha256)) await this.hold(sha256)();
  }

  /** Both removals take their turn within this call: whoever stores and unpacks the same package from now on comes after them. */
  async #remove(sha256: string): Promise<void> {
    const { blobs, code, log, certain } = this.#options;
    // A commit that failed may be in the store all the same, with this code: the next start knows.
    if (!certain()) return;
    for (const { reason } of (await Promise.allSettled([code.delete(sha256), blobs.delete(sha256)])).filter(
      (r) => r.status === 'rejected',
    )) {
      log.warn({ error: reason as unknown, sha256 }, 'a package that nobody needs could not be removed; the next start tries again');
    }
  }
}
