/**
 * Immutable bytes under the SHA-256 of their content. What `put` acknowledged survives `kill -9` and power loss; a damaged blob
 * is an error, never other bytes.
 */
export interface Blobs {
  /** Stores the bytes; storing the same bytes again changes nothing. */
  put(bytes: Uint8Array): Promise<BlobRef>;
  /** Throws HearthError `BlobNotFound`, `BlobDamaged`. */
  get(sha256: string): Promise<Buffer>;
  has(sha256: string): Promise<boolean>;
  /** No error when it is not there. */
  delete(sha256: string): Promise<void>;
  /** The hashes of all blobs, for collecting those nobody refers to. */
  list(): AsyncIterable<string>;
}

/** `sha256` in lower-case hexadecimal. */
export type BlobRef = { readonly sha256: string; readonly bytes: number };
