/** Where functions get their unpacked code, and that of their layers, from. */
export interface CodeStore {
  /**
   * The directory that holds the unpacked package of the stored zip `sha256` (hexadecimal). Unpacks when it is not there yet, whole or
   * not at all; quick when it is there. Throws HearthError `InvalidParameterValueException` (a zip that cannot or must not be unpacked),
   * `BlobNotFound`, `BlobDamaged`. `zip`: the package itself, from a caller that has it; it need not be stored yet then.
   */
  unpack(sha256: string, zip?: Uint8Array): Promise<{ readonly directory: string }>;
  /** What the stored zip has when unpacked, in bytes. Arguments and errors are those of `unpack`. */
  measure(sha256: string, zip?: Uint8Array): Promise<number>;
  /** Removes what was unpacked, not the stored zip. A later `unpack` of the same hash waits for it and unpacks anew. */
  delete(sha256: string): Promise<void>;
  /** The hashes of all that is unpacked. */
  list(): Promise<readonly string[]>;
}
