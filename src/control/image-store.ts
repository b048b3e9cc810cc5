import type { Architecture } from './records.ts';

/** A container image that was brought, as far as functions are concerned. */
export type StoredImage = {
  readonly digest: string;
  /** Its root. */
  readonly directory: string;
  readonly architecture: Architecture;
  readonly entryPoint: readonly string[];
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly workingDirectory: string;
};

/** Where functions get their container images from. */
export interface ImageStore {
  /** The digest of the image that a reference means. Undefined: there is none. */
  find(reference: string): Promise<string | undefined>;
  /** Throws HearthError `ImageNotFound`, `StoreFailed`. */
  get(digest: string): Promise<StoredImage>;
}
