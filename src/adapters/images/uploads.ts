/**
 * Archives on their way in, piece by piece: each piece is a request of its own, which is checked whole and fits in memory. Nothing of it
 * outlives the process.
 */
import { createHash, randomUUID } from 'node:crypto';
import type { Hash } from 'node:crypto';
import { appendFile, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { HearthError, LIMITS } from '../../kernel/mod.ts';
import { tooLarge } from './errors.ts';

export interface Uploads {
  /** Throws HearthError `TooManyRequestsException` while as many are under way as may be. */
  begin(): Promise<{ readonly id: string }>;
  /**
   * The next piece; `offset` says how much there was before, so that a piece that is sent twice is not taken twice. Answers with how much there
   * is now. Throws HearthError `ResourceNotFoundException`, `ResourceConflictException` (another offset), `ImageTooLarge`.
   */
  append(id: string, offset: number, piece: Uint8Array): Promise<{ readonly bytes: number }>;
  /** Calls `use` with the file and its digest, and removes it afterwards, whatever becomes of it. Nothing can be appended from then on. */
  take<T>(id: string, use: (path: string, digest: string) => Promise<T>): Promise<T>;
  /** No error when there is none. */
  cancel(id: string): Promise<void>;
  /** Removes all that are under way. */
  close(): Promise<void>;
}

export type UploadLimits = Pick<(typeof LIMITS)['images'], 'archiveBytes' | 'uploads' | 'uploadIdleMs'>;

/** `monotonicMs`: for how long nothing has come. */
export type UploadsOptions = {
  readonly directory: string;
  readonly limits?: { readonly [Limit in keyof UploadLimits]: number };
  readonly monotonicMs?: () => number;
};

type Upload = { readonly path: string; readonly hash: Hash; bytes: number; lastMs: number; turn: Promise<unknown> };

export async function openUploads(options: UploadsOptions): Promise<Uploads> {
  const { directory, limits = LIMITS.images, monotonicMs = () => performance.now() } = options;
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const uploads = new Map<string, Upload>();

  const find = (id: string): Upload => {
    const upload = uploads.get(id);
    if (!upload) throw new HearthError('ResourceNotFoundException', `There is no upload ${id}: begin a new one`);
    return upload;
  };
  const cancel = async (id: string): Promise<void> => {
    const upload = uploads.get(id);
    if (!upload) return;
    uploads.delete(id);
    await upload.turn;
    await rm(upload.path, { force: true });
  };
  const cancelIdle = async (): Promise<void> => {
    for (const [id, { lastMs }] of uploads) if (monotonicMs() - lastMs > limits.uploadIdleMs) await cancel(id);
  };
  const write = async (id: string, upload: Upload, offset: number, piece: Uint8Array): Promise<{ bytes: number }> => {
    if (uploads.get(id) !== upload) find(id);
    if (offset !== upload.bytes)
      throw new HearthError('ResourceConflictException', `The upload ${id} has ${upload.bytes} bytes, and this piece begins at ${offset}`);
    if (offset + piece.length > limits.archiveBytes) throw tooLarge(`an archive may have ${limits.archiveBytes} bytes`);
    await appendFile(upload.path, piece);
    upload.hash.update(piece);
    upload.bytes += piece.length;
    upload.lastMs = monotonicMs();
    return { bytes: upload.bytes };
  };

  return {
    async begin() {
      await cancelIdle();
      if (uploads.size >= limits.uploads)
        throw new HearthError('TooManyRequestsException', `${limits.uploads} uploads are under way. Wait for one to end, or cancel one.`);
      const id = randomUUID();
      const path = join(directory, id);
      const turn = writeFile(path, '', { flag: 'wx', mode: 0o600 });
      uploads.set(id, { path, hash: createHash('sha256'), bytes: 0, lastMs: monotonicMs(), turn });
      await turn;
      return { id };
    },
    async append(id, offset, piece) {
      const upload = find(id);
      const turn = upload.turn.then(() => write(id, upload, offset, piece));
      // Who waits for it hears of a failure; what comes next only waits for its end.
      upload.turn = turn.catch(() => undefined);
      return turn;
    },
    async take(id, use) {
      const upload = find(id);
      uploads.delete(id);
      try {
        await upload.turn;
        return await use(upload.path, `sha256:${upload.hash.digest('hex')}`);
      } finally {
        await rm(upload.path, { force: true });
      }
    },
    cancel,
    async close() {
      for (const id of uploads.keys()) await cancel(id);
    },
  };
}
