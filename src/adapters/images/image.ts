/** An image as the rest of the platform sees it: unpacked, and with what its configuration says about starting it. */
import type { Digest } from './digest.ts';
import type { Architecture } from './platform.ts';

export type Image = {
  /** That of the image's configuration, which names all layers: the same image has the same one in every format and compression. */
  readonly digest: Digest;
  readonly config: ImageConfig;
  /**
   * All layers in one tree, for a read-only mount. Its links, absolute ones too, are meant for a process that has it as its root: whoever
   * looks into it from outside must not follow them.
   */
  readonly root: string;
  /** From the lowest to the uppermost. Each is on disk once, however many images have it, and shares its files with their roots. */
  readonly layers: readonly ImageLayer[];
  /** By which it was brought, as far as no other one has them by now. */
  readonly names: readonly string[];
};

/** `digest`: of the uncompressed layer. `directory`: what the layer itself holds, without what it removes from those below. */
export type ImageLayer = { readonly digest: Digest; readonly directory: string };

/** `User` of the image is not kept: everything in a sandbox runs as the sandbox's own user. */
export type ImageConfig = {
  readonly architecture: Architecture;
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Absolute; `/` where the image names none. */
  readonly workingDirectory: string;
  readonly exposedPorts: readonly ExposedPort[];
};

export type ExposedPort = { readonly port: number; readonly protocol: 'tcp' | 'udp' | 'sctp' };
