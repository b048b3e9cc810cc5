import { createHash } from 'node:crypto';
import { HearthError } from '../../kernel/mod.ts';
import type { BlobRef, Blobs } from '../../ports/mod.ts';

/** What outlives a simulated crash: open another SimBlobs on it. Change the bytes to damage a blob. */
export type SimBlobsDisk = Map<string, Buffer>;

/** Blobs in memory that behave as files do, for tests and simulation. */
export class SimBlobs implements Blobs {
  readonly #disk: SimBlobsDisk;

  static async open(options: { readonly disk?: SimBlobsDisk } = {}): Promise<SimBlobs> {
    return new SimBlobs(options.disk ?? new Map());
  }

  private constructor(disk: SimBlobsDisk) {
    this.#disk = disk;
  }

  async put(bytes: Uint8Array): Promise<BlobRef> {
    const sha256 = sha256Of(bytes);
    this.#disk.set(sha256, Buffer.from(bytes));
    return { sha256, bytes: bytes.length };
  }

  async get(sha256: string): Promise<Buffer> {
    const bytes = this.#disk.get(sha256);
    if (!bytes) throw new HearthError('BlobNotFound', `there is no blob ${sha256}`);
    if (sha256Of(bytes) !== sha256) throw new HearthError('BlobDamaged', `the blob ${sha256} does not have the content its name says`);
    return Buffer.from(bytes);
  }

  async has(sha256: string): Promise<boolean> {
    return this.#disk.has(sha256);
  }

  async delete(sha256: string): Promise<void> {
    this.#disk.delete(sha256);
  }

  async *list(): AsyncIterable<string> {
    yield* [...this.#disk.keys()].toSorted();
  }
}

function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
