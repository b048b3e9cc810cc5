import { HearthError } from '../kernel/mod.ts';
import { invalid } from './invalid.ts';
import type { ImageStore, StoredImage } from './image-store.ts';

export type ImageKeeperOptions = {
  /** Absent: no function can be made of an image. */
  readonly images: ImageStore | undefined;
  /** Whatever a record says that it is made of this image, as it is shown to people. */
  readonly users: (digest: string) => readonly string[];
};

export type HeldImage = { readonly image: StoredImage; readonly release: () => void };

/** Keeps container images from being removed while functions have them, or are about to. */
export class ImageKeeper {
  readonly #options: ImageKeeperOptions;
  /** By digest: who keeps it though perhaps no record refers to it. */
  readonly #held = new Map<string, number>();
  readonly #leaving = new Set<string>();

  constructor(options: ImageKeeperOptions) {
    this.#options = options;
  }

  /** Returns how to let it go. */
  hold(digest: string): () => void {
    this.#held.set(digest, (this.#held.get(digest) ?? 0) + 1);
    let released = false;
    return () => {
      if (released) return;
      released = true;
      const holders = this.#held.get(digest)! - 1;
      if (holders > 0) this.#held.set(digest, holders);
      else this.#held.delete(digest);
    };
  }

  /** The image that an ImageUri names, held. Throws `InvalidParameterValueException`. */
  async find(uri: string): Promise<HeldImage> {
    const { images } = this.#options;
    const digest = await images?.find(uri);
    if (images === undefined || digest === undefined || this.#leaving.has(digest)) throw notBrought(uri);
    const release = this.hold(digest);
    try {
      return { image: await images.get(digest), release };
    } catch (error) {
      release();
      throw error;
    }
  }

  /** As it is there. Throws HearthError, one of those of the images. */
  async get(digest: string): Promise<StoredImage> {
    const { images } = this.#options;
    if (!images) throw new HearthError('ImageNotFound', `there is no image ${digest}`);
    return await images.get(digest);
  }

  /** Removes an image by `remove`, unless somebody needs it: then throws `ResourceConflictException`. */
  async removing<T>(digest: string, remove: () => Promise<T>): Promise<T> {
    const users = this.#options.users(digest);
    if (users.length > 0) {
      const shown = users.slice(0, SHOWN).join(', ') + (users.length > SHOWN ? ` and ${users.length - SHOWN} more` : '');
      throw new HearthError(
        'ResourceConflictException',
        `The image ${digest} is used by ${shown}. Delete these, or give them another image.`,
      );
    }
    if (this.#held.has(digest)) throw new HearthError('ResourceConflictException', `The image ${digest} is still in use. Try again later.`);
    this.#leaving.add(digest);
    try {
      return await remove();
    } finally {
      this.#leaving.delete(digest);
    }
  }
}

const SHOWN = 5;

const notBrought = (uri: string): HearthError =>
  invalid(
    `Source image ${uri} is not valid: no such image was brought here, and this Hearth takes none from a registry. ` +
      `Bring it as an archive: "docker save ${uri} > image.tar", then "hearth images push image.tar".`,
  );
