import { randomUUID } from 'node:crypto';
import { access, mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { HearthError } from '../../kernel/mod.ts';
import type { BlobRef, Blobs } from '../../ports/mod.ts';
import { hasCode, syncDirectory, writeDurably } from './durable.ts';

/**
 * Blobs as files named by their content, in a fan-out of two levels: `ab/cd/abcd...`. A blob is written below `tmp`, fsynced and
 * renamed into place, so a file that is there is whole; what a crash left in `tmp` is swept when the directory is opened.
 */
export class FileBlobs implements Blobs {
  readonly #directory: string;
  /** The last operation that changes each blob: puts and deletes of one blob run one after the other. */
  readonly #busy = new Map<string, Promise<unknown>>();

  /** Makes the directory when it is not there. Throws HearthError `DataDirectoryUnusable` when that fails. */
  static async open(options: { readonly directory: string }): Promise<FileBlobs> {
    const temporary = join(options.directory, 'tmp');
    try {
      await rm(temporary, { recursive: true, force: true });
      await mkdir(temporary, { recursive: true, mode: 0o700 });
      await syncDirectory(options.directory);
    } catch (cause) {
      throw new HearthError('DataDirectoryUnusable', `the blob directory ${options.directory} cannot be used: ${String(cause)}`, { cause });
    }
    return new FileBlobs(options.directory);
  }

  private constructor(directory: string) {
    this.#directory = directory;
  }

  async put(bytes: Uint8Array): Promise<BlobRef> {
    const sha256 = await sha256Of(bytes);
    await this.#inTurn(sha256, () => this.#write(sha256, bytes));
    return { sha256, bytes: bytes.length };
  }

  async get(sha256: string): Promise<Buffer> {
    const bytes = await this.#read(sha256);
    if (!bytes) throw new HearthError('BlobNotFound', `there is no blob ${sha256}`);
    if ((await sha256Of(bytes)) === sha256) return bytes;
    throw new HearthError(
      'BlobDamaged',
      `the file ${this.#path(sha256)} does not have the content its name says: the disk damaged it, or somebody changed it. Deploy the function again, or restore the file from a backup.`,
    );
  }

  async has(sha256: string): Promise<boolean> {
    if (!isHash(sha256)) return false;
    try {
      await access(this.#path(sha256));
      return true;
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return false;
      throw failed(sha256, error);
    }
  }

  async delete(sha256: string): Promise<void> {
    if (!isHash(sha256)) return;
    await this.#inTurn(sha256, () => rm(this.#path(sha256), { force: true }));
  }

  async *list(): AsyncIterable<string> {
    for (const first of await this.#names(this.#directory, /^[0-9a-f]{2}$/)) {
      for (const second of await this.#names(join(this.#directory, first), /^[0-9a-f]{2}$/)) {
        yield* await this.#names(join(this.#directory, first, second), HASH);
      }
    }
  }

  async #write(sha256: string, bytes: Uint8Array): Promise<void> {
    const [top, middle, bottom] = this.#directories(sha256);
    try {
      await mkdir(bottom, { recursive: true, mode: 0o700 });
      // A damaged blob is written anew: the same bytes heal it.
      const there = await this.#read(sha256);
      if (there?.equals(bytes)) await syncDirectory(bottom);
      else await writeDurably(this.#path(sha256), join(top, 'tmp', randomUUID()), bottom, bytes);
      // Their entries may be new, or be left unsynced by a process that was killed.
      await syncDirectory(middle);
      await syncDirectory(top);
    } catch (cause) {
      throw failed(sha256, cause);
    }
  }

  async #read(sha256: string): Promise<Buffer | undefined> {
    if (!isHash(sha256)) return undefined;
    try {
      return await readFile(this.#path(sha256));
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return undefined;
      throw failed(sha256, error);
    }
  }

  async #inTurn(sha256: string, operation: () => Promise<void>): Promise<void> {
    const turn = (this.#busy.get(sha256) ?? Promise.resolve()).then(operation, operation);
    this.#busy.set(sha256, turn);
    try {
      await turn;
    } finally {
      if (this.#busy.get(sha256) === turn) this.#busy.delete(sha256);
    }
  }

  async #names(directory: string, shape: RegExp): Promise<string[]> {
    try {
      return (await readdir(directory)).filter((name) => shape.test(name)).toSorted();
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return [];
      throw new HearthError('StoreFailed', `the directory ${directory} cannot be read: ${String(error)}`, { cause: error });
    }
  }

  #path(sha256: string): string {
    return join(this.#directories(sha256)[2], sha256);
  }

  #directories(sha256: string): readonly [top: string, middle: string, bottom: string] {
    const middle = join(this.#directory, sha256.slice(0, 2));
    return [this.#directory, middle, join(middle, sha256.slice(2, 4))];
  }
}

const HASH = /^[0-9a-f]{64}$/;
const isHash = (text: string) => HASH.test(text);

/** On a thread of its own: hashing a large package here would hold up every request. */
async function sha256Of(bytes: Uint8Array): Promise<string> {
  return Buffer.from(await crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>)).toString('hex');
}

function failed(sha256: string, cause: unknown): HearthError {
  return new HearthError(
    'StoreFailed',
    `the blob ${sha256} cannot be read or written: ${String(cause)}. Check the disk's space and health.`,
    { cause },
  );
}
