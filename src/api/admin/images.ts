/** Container images: their archives come in pieces, become images, are listed and deleted. */
import { HearthError } from '../../kernel/mod.ts';
import { numberIn, parseJson } from './reading.ts';

/** Images, as this API needs them. */
export interface ImageAdmin {
  begin(): Promise<{ readonly id: string }>;
  append(id: string, offset: number, piece: Uint8Array): Promise<{ readonly bytes: number }>;
  cancel(id: string): Promise<void>;
  /** Makes an image of what was uploaded, which is gone afterwards. */
  add(upload: UploadedImage): Promise<ImageView>;
  list(): Promise<readonly ImageView[]>;
  /** Throws HearthError `ImageNotFound`, `ResourceConflictException` (a function has it). */
  delete(digest: string): Promise<void>;
}

/** `name`: which of several images in the archive. */
export type UploadedImage = { readonly upload: string; readonly name?: string };

export type ImageView = {
  readonly digest: string;
  readonly names: readonly string[];
  readonly architecture: string;
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly workingDirectory: string;
  readonly layers: readonly string[];
};

const MAX_NAME_LENGTH = 512;

export function uploadIn(body: Uint8Array): UploadedImage {
  const value = parseJson(body);
  const { upload, name } = (typeof value === 'object' && value !== null ? value : {}) as Partial<Record<string, unknown>>;
  if (typeof upload !== 'string') throw new HearthError('BadRequest', 'upload must be the id of an upload');
  if (name === undefined) return { upload };
  if (typeof name !== 'string' || name.length > MAX_NAME_LENGTH)
    throw new HearthError('BadRequest', `name must be a text of at most ${MAX_NAME_LENGTH} characters`);
  return { upload, name };
}

export function offsetIn(query: URLSearchParams): number {
  const offset = numberIn(query, 'offset');
  if (offset === undefined) throw new HearthError('BadRequest', 'offset is missing: how many bytes were sent before this piece');
  return offset;
}
