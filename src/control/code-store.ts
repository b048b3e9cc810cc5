/** Where functions get their unpacked code from. */
export interface CodeStore {
  /**
   * The directory that holds the unpacked package of the stored zip `sha256` (hexadecimal). Unpacks when it is not there yet, whole or
   * not at all; quick when it is there. Throws HearthError `InvalidParameterValueException` (a zip that cannot or must not be unpacked),
   * `BlobNotFound`, `BlobDamaged`.
   */
  unpack(sha256: string): Promise<{ readonly directory: string }>;
}
