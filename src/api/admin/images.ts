/** Container images: their archives come in pieces, become images, are listed and deleted. */
import { HearthError } from '../../kernel/mod.ts';
import type { ImageView } from '../../protocol/mod.ts';
import { numberIn, parseJson } from './reading.ts';

/** Images, as this API needs them. */
export interface ImageAdmin {
  begin(): Promise<{ readonly id: string }>;
  append(id: string, offset: number, piece: Uint8Array): Promise<{ readonly bytes: number }>;
  cancel(id: string): Promise<void>;
  /** Makes an image of what was uploaded, which is gone afterwards. */
  add(upload: UploadedImage): Promise<ImageView>;
  /** What the same archive has brought before; undefined: it has to be uploaded. */
  brought(archive: BroughtImage): Promise<ImageView | undefined>;
  list(): Promise<readonly ImageView[]>;
  /** Throws HearthError `ImageNotFound`, `ResourceConflictException` (a function has it). */
  delete(digest: string): Promise<void>;
}

/** `name`: which of several images in the archive. */
export type UploadedImage = { readonly upload: string; readonly name?: string };

/** `archive`: the digest of its bytes. */
export type BroughtImage = { readonly archive: string; readonly name?: string };

const MAX_NAME_LENGTH = 512;
const ARCHIVE = /^sha256:[0-9a-f]{64}$/;

/** The image of an upload, or of an archive that has been brought before: throws HearthError `ResourceNotFoundException` where it has not. */
export async function imageOf(images: ImageAdmin, body: Uint8Array): Promise<ImageView> {
  const wanted = wantedIn(body);
  if ('upload' in wanted) return await images.add(wanted);
  const image = await images.brought(wanted);
  if (!image) throw new HearthError('ResourceNotFoundException', `No image of the archive ${wanted.archive} is here: upload it`);
  return image;
}

function wantedIn(body: Uint8Array): UploadedImage | BroughtImage {
  const value = parseJson(body);
  const { upload, archive, name } = (typeof value === 'object' && value !== null ? value : {}) as Partial<Record<string, unknown>>;
  if (name !== undefined && (typeof name !== 'string' || name.length > MAX_NAME_LENGTH))
    throw new HearthError('BadRequest', `name must be a text of at most ${MAX_NAME_LENGTH} characters`);
  const more = name === undefined ? {} : { name };
  if (typeof upload === 'string' && archive === undefined) return { upload, ...more };
  if (typeof archive === 'string' && upload === undefined && ARCHIVE.test(archive)) return { archive, ...more };
  throw new HearthError('BadRequest', 'give upload, the id of an upload, or archive, the digest of an archive: sha256:...');
}

export function offsetIn(query: URLSearchParams): number {
  const offset = numberIn(query, 'offset');
  if (offset === undefined) throw new HearthError('BadRequest', 'offset is missing: how many bytes were sent before this piece');
  return offset;
}
