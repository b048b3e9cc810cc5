/** Where functions get their unpacked code from. Owned here, implemented by `packaging/`. */
export interface CodeStore {
  /**
   * The directory that holds the unpacked package of the stored zip `sha256` (hexadecimal). Unpacks when it is not there yet, whole or
   * not at all; quick when it is there. Throws HearthError `InvalidZipFileException` (not a safe, readable zip), `BlobNotFound`, `BlobDamaged`.
   */
  unpack(sha256: string): Promise<{ readonly directory: string }>;
}
