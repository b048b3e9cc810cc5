/** `hearth images`: container images on a platform. An archive is sent in pieces, each a request that is signed for itself. */
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { resolve } from 'node:path';
import { HearthError, LIMITS } from '../kernel/mod.ts';
import type { ImageView } from '../protocol/mod.ts';
import type { Client } from './client.ts';
import type { Context } from './context.ts';
import { bytesText, tableText } from './text.ts';

export type PushOptions = { readonly image?: string };

const IMAGES = '/_hearth/images';
const UPLOADS = '/_hearth/uploads';

export async function pushImage(context: Context, file: string, { image: name }: PushOptions): Promise<void> {
  const { out } = context;
  const { image, sentBytes } = await sendImage(context, file, name);
  out.result(image, () => {
    const names = image.names.length === 0 ? '' : `  ${image.names.join(', ')}`;
    return `${out.paint.bold(image.digest)}${names}  ${out.paint.dim(`${image.layers.length} layers, ${sentBytes === 0 ? 'there already' : `${bytesText(sentBytes)} sent`}`)}`;
  });
}

/** `sentBytes`: 0, the platform had it by the same archive. */
export type BroughtImage = { readonly image: ImageView; readonly bytes: number; readonly sentBytes: number };

/** Brings the archive of an image, unless that has been done before; `name`: which one, of several in it. */
export async function sendImage(context: Context, file: string, name: string | undefined): Promise<BroughtImage> {
  const handle = await openFile(resolve(context.directory, file));
  try {
    const { out, client } = context;
    const { size: bytes } = await handle.stat();
    const archive = await out.progress(`reading ${file}`, digestOf(handle));
    const body = { archive, ...(name !== undefined && { name }) };
    const known = await client.find<ImageView>({ method: 'POST', path: IMAGES, body });
    if (known) return { image: known, bytes, sentBytes: 0 };
    return { bytes, ...(await send(context, { file, handle, name })) };
  } finally {
    await handle.close();
  }
}

type Sent = { readonly file: string; readonly handle: FileHandle; readonly name: string | undefined };

async function send({ out, client }: Context, { file, handle, name }: Sent): Promise<Pick<BroughtImage, 'image' | 'sentBytes'>> {
  const { id } = await client.call<{ id: string }>({ method: 'POST', path: UPLOADS });
  try {
    const sentBytes = await out.progress(`uploading ${file}`, sendPieces(client, `${UPLOADS}/${id}`, handle));
    const body = { upload: id, ...(name !== undefined && { name }) };
    const image = await out.progress(`unpacking ${file}`, client.call<ImageView>({ method: 'POST', path: IMAGES, body }));
    return { image, sentBytes };
  } catch (error) {
    await cancel(client, id);
    throw error;
  }
}

async function openFile(path: string): Promise<FileHandle> {
  const handle = await open(path).catch((cause: unknown) => {
    throw new HearthError('BadUsage', `${path} can't be read: ${String(cause)}`, { cause });
  });
  if ((await handle.stat()).isFile()) return handle;
  await handle.close();
  throw new HearthError('BadUsage', `${path} is not a file: give the archive of an image`);
}

export async function listImages({ out, client }: Context): Promise<void> {
  const { images } = await client.call<{ images: readonly ImageView[] }>({ method: 'GET', path: IMAGES });
  out.result(images, () => {
    if (images.length === 0) return 'No images: "hearth images push FILE" brings one.';
    const rows = images.map((each) => [
      each.digest,
      each.names.join(' '),
      each.architecture,
      [...each.entrypoint, ...each.command].join(' '),
    ]);
    return tableText(['IMAGE', 'NAMES', 'FOR', 'STARTS'], rows, out.paint.bold);
  });
}

export async function deleteImage({ out, client }: Context, digest: string): Promise<void> {
  await client.call({ method: 'DELETE', path: `${IMAGES}/${encodeURIComponent(digest)}` });
  out.result({ deleted: digest }, () => `${digest} deleted`);
}

async function digestOf(handle: FileHandle): Promise<string> {
  const hash = createHash('sha256');
  const piece = Buffer.alloc(LIMITS.images.uploadPieceBytes);
  for (let offset = 0; ;) {
    const { bytesRead } = await handle.read(piece, 0, piece.length, offset);
    if (bytesRead === 0) return `sha256:${hash.digest('hex')}`;
    hash.update(piece.subarray(0, bytesRead));
    offset += bytesRead;
  }
}

/** How many bytes there were. */
async function sendPieces(client: Client, path: string, handle: FileHandle): Promise<number> {
  const piece = Buffer.alloc(LIMITS.images.uploadPieceBytes);
  for (let offset = 0; ;) {
    const { bytesRead } = await handle.read(piece, 0, piece.length, offset);
    if (bytesRead === 0) return offset;
    await client.call({ method: 'PUT', path, query: { offset }, body: piece.subarray(0, bytesRead) });
    offset += bytesRead;
  }
}

/** What went wrong before is what counts: an upload that can't be cancelled goes by itself when it has been silent for long enough. */
async function cancel(client: Client, id: string): Promise<void> {
  await client.call({ method: 'DELETE', path: `${UPLOADS}/${id}` }).catch(() => undefined);
}
