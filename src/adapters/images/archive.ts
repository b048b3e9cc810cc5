/**
 * A tar archive whose files can be read in any order: one pass notes where each begins. A compressed archive, as `docker save | gzip` makes
 * it, is decompressed into a file first.
 */
import { closeSync, createWriteStream, fstatSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { dirname, normalize } from 'node:path/posix';
import { pipeline } from 'node:stream/promises';
import { START_BYTES, counted, decompressor, limited } from './bytes.ts';
import { asImageError, invalid, quote, tooLarge } from './errors.ts';
import { missing, readDocument, readRange, readStart } from './files.ts';
import type { ImageFiles } from './files.ts';
import type { ImageLimits } from './limits.ts';
import type { Source } from './source.ts';
import { readTar } from './tar.ts';
import type { TarHeader } from './tar.ts';

type Place = { readonly kind: 'file'; readonly offset: number; readonly size: number } | { readonly kind: 'link'; readonly target: string };
type FilePlace = Extract<Place, { kind: 'file' }>;

/** Of links to links: Docker makes one, to a layer that two images have. */
const MAX_HOPS = 4;

export async function openArchive({ path, workDirectory, limits }: Source): Promise<ImageFiles> {
  const fd = await openPlain(path, workDirectory, limits);
  try {
    const places = await placesOf(fd, limits);
    const find = (name: string, hops = 0): FilePlace | undefined => {
      const place = places.get(name);
      if (place?.kind !== 'link') return place;
      return hops < MAX_HOPS ? find(place.target, hops + 1) : undefined;
    };
    const found = (name: string) => find(name) ?? missing(name);
    return {
      kind: 'archive',
      size: (name) => find(name)?.size,
      stream(name) {
        const { offset, size } = found(name);
        return readRange(fd, { start: offset, end: offset + size });
      },
      start(name, bytes) {
        const { offset, size } = found(name);
        return readStart(fd, offset, Math.min(bytes, size));
      },
      read: (name) => readDocument(fd, { ...found(name), name, limits }),
      close: () => closeSync(fd),
    };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** A descriptor of the archive without its compression. */
async function openPlain(path: string, workDirectory: string, limits: ImageLimits): Promise<number> {
  const fd = openSync(path, 'r');
  let plain: number | undefined;
  try {
    const { size } = fstatSync(fd);
    if (size > limits.archiveBytes) throw tooLarge(`the archive has ${size} bytes; ${limits.archiveBytes} are allowed`);
    const decompress = decompressor(readStart(fd, 0, START_BYTES));
    if (!decompress) return (plain = fd);
    const target = join(workDirectory, 'archive.tar');
    const read = { bytes: 0 };
    await pipeline(
      readRange(fd, {}),
      counted(read),
      decompress,
      limited({ what: 'the archive', maxBytes: limits.archiveBytes, read, limits }),
      createWriteStream(target, { flags: 'wx', mode: 0o600 }),
    );
    return (plain = openSync(target, 'r'));
  } catch (error) {
    throw asImageError(error);
  } finally {
    if (plain !== fd) closeSync(fd);
  }
}

async function placesOf(fd: number, limits: ImageLimits): Promise<ReadonlyMap<string, Place>> {
  const places = new Map<string, Place>();
  let entries = 0;
  await readTar([readRange(fd, {})], async ({ header }) => {
    if (++entries > limits.archiveEntries) throw tooLarge(`the archive has more than ${limits.archiveEntries} entries`);
    const name = normalize(header.name);
    const place = placeOf(name, header);
    if (!place) return;
    if (places.has(name)) throw invalid(`${quote(name)} occurs twice in the archive`);
    places.set(name, place);
  });
  return places;
}

function placeOf(name: string, { type, size, byteOffset, linkname }: TarHeader): Place | undefined {
  switch (type) {
    case 'file':
    case 'contiguous-file':
      return { kind: 'file', offset: byteOffset, size };
    case 'symlink':
      return { kind: 'link', target: normalize(`${dirname(name)}/${linkname}`) };
    case 'link':
      return { kind: 'link', target: normalize(linkname) };
    default:
      return undefined;
  }
}
