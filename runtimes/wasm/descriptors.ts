/** What a module has open: its table of descriptors, and what each kind of them does when it is read or written. */
import { closeSync, constants, fstatSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { ERRNO, WasiError } from './errno.ts';
import { DIRECTORY_RIGHTS, FDFLAG, FILETYPE, INHERITED_RIGHTS, READ_ONLY, RIGHT, STREAM_RIGHTS } from './layouts.ts';
import { wouldWait } from './ready.ts';

type Rights = { rights: number; inheriting: number; flags: number };

/** A file of the system. Where it is read and written is kept here: Node has no lseek, and appending is asked for and taken back. */
export type OpenFile = Rights & { readonly kind: 'file'; readonly host: number; position: number };
/** `preopened`: its name for the module. `entries`: the listing that cookies count in. */
export type OpenDirectory = Rights & {
  readonly kind: 'directory';
  readonly host: number;
  readonly preopened: Uint8Array | undefined;
  entries: readonly Listed[] | undefined;
};
/** Standard input, output, or what stands for them. */
export type OpenStream = Rights & { readonly kind: 'stream'; readonly filetype: number; readonly stream: Stream };
export type Descriptor = OpenFile | OpenDirectory | OpenStream;

export type Listed = { readonly name: Uint8Array; readonly filetype: number; readonly ino: bigint };

export type Stream = {
  /** The descriptor of the system behind it, where there is one. */
  readonly host?: number;
  /** How many bytes it wrote into `target`; 0 at the end. */
  read?(target: Uint8Array): number;
  /** How many bytes of `source` it took. */
  write?(source: Uint8Array): number;
  /** How many bytes can be read without waiting, as far as that is known. */
  readonly available?: () => number;
};

const FIRST_FREE = 3;
const MOST_OPEN = 1024;

export class Descriptors {
  #open: (Descriptor | undefined)[];

  /** `initial`: from 0 on. It is not the caller's any more. */
  constructor(initial: Descriptor[]) {
    this.#open = initial;
  }

  get(fd: number): Descriptor {
    const found = this.#open[fd >>> 0];
    if (!found) throw new WasiError(ERRNO.BADF);
    return found;
  }

  add(descriptor: Descriptor): number {
    let fd = FIRST_FREE;
    while (this.#open[fd]) fd++;
    if (fd >= MOST_OPEN) {
      closeHost(descriptor);
      throw new WasiError(ERRNO.MFILE);
    }
    this.#open[fd] = descriptor;
    return fd;
  }

  close(fd: number): void {
    const found = this.get(fd);
    this.#open[fd >>> 0] = undefined;
    closeHost(found);
  }

  /** `to` must be open, as WASI has it. */
  renumber(from: number, to: number): void {
    const moved = this.get(from);
    const replaced = this.get(to);
    if (moved === replaced) return;
    closeHost(replaced);
    this.#open[to >>> 0] = moved;
    this.#open[from >>> 0] = undefined;
  }

  closeAll(): void {
    for (const descriptor of this.#open) if (descriptor) closeHost(descriptor);
    this.#open = [];
  }
}

/** Streams are the caller's. */
function closeHost(descriptor: Descriptor): void {
  if (descriptor.kind !== 'stream') closeSync(descriptor.host);
}

/** O_PATH: a directory as a place, also where it may not be listed. */
const O_PATH = 0x20_0000;
export const O_PLACE = O_PATH | constants.O_DIRECTORY;

export type Preopen = { readonly host: string; readonly guest: string; readonly writable: boolean };

/** Throws what the system says when it is not there, or no directory. */
export function openPreopen({ host, guest, writable }: Preopen): OpenDirectory {
  const mask = writable ? -1 : READ_ONLY;
  return {
    kind: 'directory',
    host: openSync(host, constants.O_RDONLY | O_PLACE),
    preopened: Buffer.from(guest),
    entries: undefined,
    rights: DIRECTORY_RIGHTS & mask,
    inheriting: INHERITED_RIGHTS & mask,
    flags: 0,
  };
}

export function openStream(stream: Stream, filetype: number = FILETYPE.unknown): OpenStream {
  const rights = STREAM_RIGHTS | (stream.read ? RIGHT.fdRead : 0) | (stream.write ? RIGHT.fdWrite : 0);
  return { kind: 'stream', filetype, stream, rights, inheriting: 0, flags: 0 };
}

export function filetypeOf(stats: BigIntStats): number {
  if (stats.isFile()) return FILETYPE.regular;
  if (stats.isDirectory()) return FILETYPE.directory;
  if (stats.isSymbolicLink()) return FILETYPE.symbolicLink;
  if (stats.isCharacterDevice()) return FILETYPE.characterDevice;
  if (stats.isBlockDevice()) return FILETYPE.blockDevice;
  if (stats.isSocket()) return FILETYPE.socketStream;
  return FILETYPE.unknown;
}

/** At the file's position, which moves on. */
export function readFrom(descriptor: Descriptor, target: Uint8Array): number {
  switch (descriptor.kind) {
    case 'directory':
      throw new WasiError(ERRNO.BADF);
    case 'stream':
      if (!descriptor.stream.read) throw new WasiError(ERRNO.BADF);
      refuseToWait(descriptor, false);
      return descriptor.stream.read(target);
    case 'file': {
      const count = readAt(descriptor, target, descriptor.position);
      descriptor.position += count;
      return count;
    }
  }
}

export function writeTo(descriptor: Descriptor, source: Uint8Array): number {
  switch (descriptor.kind) {
    case 'directory':
      throw new WasiError(ERRNO.BADF);
    case 'stream':
      if (!descriptor.stream.write) throw new WasiError(ERRNO.BADF);
      refuseToWait(descriptor, true);
      return descriptor.stream.write(source);
    case 'file': {
      if ((descriptor.flags & FDFLAG.append) !== 0) descriptor.position = fstatSync(descriptor.host).size;
      const count = writeAt(descriptor, source, descriptor.position);
      descriptor.position += count;
      return count;
    }
  }
}

/** The host's own descriptor stays as it is: it may be shared with other processes. */
function refuseToWait({ flags, stream: { host } }: OpenStream, writing: boolean): void {
  if ((flags & FDFLAG.nonblock) !== 0 && host !== undefined && wouldWait(host, writing)) throw new WasiError(ERRNO.AGAIN);
}

/** What is no regular file, a pipe or a device, has no positions. */
export function readAt({ host }: OpenFile, target: Uint8Array, position: number): number {
  if (target.length === 0) return 0;
  try {
    return readSync(host, target, 0, target.length, position);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESPIPE') throw error;
    return readSync(host, target, 0, target.length, null);
  }
}

export function writeAt({ host, flags }: OpenFile, source: Uint8Array, position: number): number {
  if (source.length === 0) return 0;
  let count: number;
  try {
    count = writeSync(host, source, 0, source.length, position);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESPIPE') throw error;
    count = writeSync(host, source, 0, source.length, null);
  }
  if ((flags & (FDFLAG.sync | FDFLAG.dsync)) !== 0) fsyncSync(host);
  return count;
}
