import { HearthError } from '../../kernel/mod.ts';

export const invalid = (reason: string, cause?: unknown): HearthError => imageError('ImageInvalid', reason, cause);
export const damaged = (reason: string, cause?: unknown): HearthError => imageError('ImageDamaged', reason, cause);
export const unsupported = (reason: string): HearthError => imageError('ImageUnsupported', reason);
export const tooLarge = (reason: string): HearthError => imageError('ImageTooLarge', reason);
export const wrongPlatform = (reason: string): HearthError => imageError('ImagePlatformMismatch', reason);
export const notFound = (reason: string, cause?: unknown): HearthError => imageError('ImageNotFound', reason, cause);

/** Text of an image in a message: without control characters, and of bounded length. */
export const quote = (text: string): string => JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}...` : text);

/** What the file system, zlib and tar-stream throw, as errors with a code. */
export function asImageError(error: unknown): HearthError {
  if (error instanceof HearthError) return error;
  if (!(error instanceof Error)) return new HearthError('Internal', `unpacking an image failed: ${String(error)}`, { cause: error });
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (syscall !== undefined) return new HearthError('StoreFailed', `the image could not be stored: ${error.message}`, { cause: error });
  // Of bytes that zlib or tar-stream can't read, or a stream that ended too early. tar-stream's errors are plain ones; a mistake of ours is not.
  const plain = code === undefined && error.name === 'Error';
  if (plain || /^(Z_|ZSTD_|ERR_STREAM_PREMATURE_CLOSE$)/.test(code ?? ''))
    return damaged(`a part of it can't be read: ${error.message}`, error);
  return new HearthError('Internal', `unpacking an image failed: ${error.message}`, { cause: error });
}

function imageError(code: HearthError['code'], reason: string, cause?: unknown): HearthError {
  return new HearthError(code, `the image can't be used: ${reason}`, cause === undefined ? undefined : { cause });
}
