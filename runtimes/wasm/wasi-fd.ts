/** WASI preview 1: the functions of open descriptors, `fd_*`. */
import { fdatasyncSync, fstatSync, fsyncSync, ftruncateSync, lstatSync, readdirSync } from 'node:fs';
import type { Descriptor, Listed, OpenDirectory, OpenFile, OpenStream } from './descriptors.ts';
import { filetypeOf, readAt, readFrom, writeAt, writeTo } from './descriptors.ts';
import type { Errno } from './errno.ts';
import { ERRNO, WasiError } from './errno.ts';
import { ALL_FDFLAGS, FDFLAG, FILETYPE, RIGHT, toRights, WHENCE } from './layouts.ts';
import { setTimes, writeBareFilestat, writeFilestat } from './stat.ts';
import type { World } from './world.ts';

const { SUCCESS } = ERRNO;
const MOST_OFFSET = BigInt(Number.MAX_SAFE_INTEGER);
const ADVICES = 6;
const FDSTAT_BYTES = 24;
const DIRENT_BYTES = 24;
const MOST_VECTORS = 1024;

// oxlint-disable-next-line max-lines-per-function -- a table of functions over one world
export function fdFunctions(world: World): Record<string, (...args: never[]) => Errno> {
  const { memory } = world;
  const open = (fd: number, right: number): Descriptor => {
    const descriptor = world.descriptors.get(fd);
    if ((descriptor.rights & right) === right) return descriptor;
    // One that is not open for reading or writing: what POSIX says of it, and what every library knows.
    throw new WasiError((right & (RIGHT.fdRead | RIGHT.fdWrite)) !== 0 ? ERRNO.BADF : ERRNO.NOTCAPABLE);
  };
  /** An open regular file, or what is wrong with the descriptor. */
  const file = (fd: number, right: number): OpenFile => {
    const descriptor = world.descriptors.get(fd);
    if (descriptor.kind === 'directory') throw new WasiError(ERRNO.BADF);
    if (descriptor.kind === 'stream') throw new WasiError(right === RIGHT.fdFilestatSetSize ? ERRNO.INVAL : ERRNO.SPIPE);
    return open(fd, right) as OpenFile;
  };
  /** Who may seek may also be told where it is. */
  const told = (fd: number): OpenFile => file(fd, (world.descriptors.get(fd).rights & RIGHT.fdSeek) !== 0 ? RIGHT.fdSeek : RIGHT.fdTell);
  /** Reads or writes the pieces of memory one after the other, until one is not filled. `once`: the next one might have to wait. */
  const transfer = (vectors: number, count: number, done: number, move: (piece: Uint8Array) => number, once = false): Errno => {
    if (count >>> 0 > MOST_VECTORS) return ERRNO.INVAL;
    let total = 0;
    for (let i = 0; i < count; i++) {
      const at = (vectors >>> 0) + 8 * i;
      const piece = memory.bytes(memory.u32(at), memory.u32(at + 4));
      if (piece.length === 0) continue;
      let moved: number;
      try {
        moved = move(piece);
      } catch (error) {
        if (total === 0) throw error;
        // Part of it is done, and that is the answer; the next call hears what is wrong.
        break;
      }
      total += moved;
      if (moved < piece.length || once) break;
    }
    memory.setU32(done, total);
    return SUCCESS;
  };

  return {
    fd_advise(fd: number, offset: bigint, length: bigint, advice: number) {
      if (advice >>> 0 >= ADVICES) return ERRNO.INVAL;
      const descriptor = world.descriptors.get(fd);
      if (descriptor.kind === 'stream') return ERRNO.SPIPE;
      if (descriptor.kind === 'directory') return ERRNO.BADF;
      open(fd, RIGHT.fdAdvise);
      return offset < 0n || length < 0n ? ERRNO.INVAL : SUCCESS;
    },

    fd_allocate(fd: number, offset: bigint, length: bigint) {
      const { host } = file(fd, RIGHT.fdAllocate);
      if (offset < 0n || length <= 0n) return ERRNO.INVAL;
      const end = offset + length;
      if (end > MOST_OFFSET) return ERRNO.FBIG;
      if (BigInt(fstatSync(host).size) < end) ftruncateSync(host, Number(end));
      return SUCCESS;
    },

    fd_close(fd: number) {
      world.descriptors.close(fd);
      return SUCCESS;
    },

    fd_datasync(fd: number) {
      const descriptor = open(fd, RIGHT.fdDatasync);
      if (descriptor.kind === 'file') fdatasyncSync(descriptor.host);
      return SUCCESS;
    },

    fd_sync(fd: number) {
      const descriptor = open(fd, RIGHT.fdSync);
      // A directory is open as a place only: what is in it is written with the files.
      if (descriptor.kind === 'file') fsyncSync(descriptor.host);
      return SUCCESS;
    },

    fd_fdstat_get(fd: number, result: number) {
      const descriptor = world.descriptors.get(fd);
      memory.bytes(result, FDSTAT_BYTES).fill(0);
      memory.view.setUint8(result >>> 0, filetypeOfDescriptor(descriptor));
      memory.view.setUint16((result >>> 0) + 2, descriptor.flags, true);
      memory.setU64((result >>> 0) + 8, BigInt(descriptor.rights >>> 0));
      memory.setU64((result >>> 0) + 16, BigInt(descriptor.inheriting >>> 0));
      return SUCCESS;
    },

    fd_fdstat_set_flags(fd: number, flags: number) {
      const descriptor = open(fd, RIGHT.fdFdstatSetFlags);
      if ((flags & ~ALL_FDFLAGS) !== 0) return ERRNO.INVAL;
      descriptor.flags = flags;
      return SUCCESS;
    },

    fd_fdstat_set_rights(fd: number, base: bigint, inheriting: bigint) {
      const descriptor = world.descriptors.get(fd);
      const [rights, inherited] = [toRights(base), toRights(inheriting)];
      if ((rights & ~descriptor.rights) !== 0 || (inherited & ~descriptor.inheriting) !== 0) return ERRNO.NOTCAPABLE;
      descriptor.rights = rights;
      descriptor.inheriting = inherited;
      return SUCCESS;
    },

    fd_filestat_get(fd: number, result: number) {
      const descriptor = open(fd, RIGHT.fdFilestatGet);
      const host = descriptor.kind === 'stream' ? fileBehind(descriptor) : descriptor.host;
      if (host === undefined) writeBareFilestat(memory, result, filetypeOfDescriptor(descriptor));
      else writeFilestat(memory, result, fstatSync(host, { bigint: true }));
      return SUCCESS;
    },

    fd_filestat_set_size(fd: number, size: bigint) {
      const { host } = file(fd, RIGHT.fdFilestatSetSize);
      if (size < 0n) return ERRNO.INVAL;
      if (size > MOST_OFFSET) return ERRNO.FBIG;
      ftruncateSync(host, Number(size));
      return SUCCESS;
    },

    fd_filestat_set_times(fd: number, atim: bigint, mtim: bigint, flags: number) {
      const descriptor = open(fd, RIGHT.fdFilestatSetTimes);
      if (descriptor.kind === 'stream') return ERRNO.INVAL;
      const times = { atim: BigInt.asUintN(64, atim), mtim: BigInt.asUintN(64, mtim), flags };
      // A place can't be written to; what it is the place of can.
      const target = descriptor.kind === 'file' ? descriptor.host : `/proc/self/fd/${descriptor.host}/.`;
      setTimes(target, times, () => fstatSync(descriptor.host, { bigint: true }));
      return SUCCESS;
    },

    fd_pread(fd: number, vectors: number, count: number, offset: bigint, done: number) {
      let at = offsetOf(offset);
      const from = file(fd, RIGHT.fdRead);
      return transfer(vectors, count, done, (piece) => {
        const moved = readAt(from, piece, at);
        at += moved;
        return moved;
      });
    },

    fd_pwrite(fd: number, vectors: number, count: number, offset: bigint, done: number) {
      let at = offsetOf(offset);
      const to = file(fd, RIGHT.fdWrite);
      // As on Linux: what appends does so wherever it is told to write.
      if ((to.flags & FDFLAG.append) !== 0) at = fstatSync(to.host).size;
      return transfer(vectors, count, done, (piece) => {
        const moved = writeAt(to, piece, at);
        at += moved;
        return moved;
      });
    },

    fd_read(fd: number, vectors: number, count: number, done: number) {
      const from = open(fd, RIGHT.fdRead);
      return transfer(vectors, count, done, (piece) => readFrom(from, piece), from.kind === 'stream');
    },

    fd_write(fd: number, vectors: number, count: number, done: number) {
      const to = open(fd, RIGHT.fdWrite);
      return transfer(vectors, count, done, (piece) => writeTo(to, piece));
    },

    fd_prestat_get(fd: number, result: number) {
      const name = preopenedName(world.descriptors.get(fd));
      memory.setU32(result, 0);
      memory.setU32((result >>> 0) + 4, name.length);
      return SUCCESS;
    },

    fd_prestat_dir_name(fd: number, path: number, length: number) {
      const name = preopenedName(world.descriptors.get(fd));
      if (length >>> 0 < name.length) return ERRNO.NAMETOOLONG;
      memory.bytes(path, name.length).set(name);
      return SUCCESS;
    },

    fd_readdir(fd: number, buffer: number, length: number, cookie: bigint, used: number) {
      const directory = world.descriptors.get(fd);
      if (directory.kind !== 'directory') return ERRNO.NOTDIR;
      open(fd, RIGHT.fdReaddir);
      const target = memory.bytes(buffer, length);
      // A listing stays what it is while its cookies are used; reading from the beginning takes a new one.
      if (cookie === 0n || !directory.entries) directory.entries = list(directory);
      memory.setU32(used, writeEntries(directory.entries, target, BigInt.asUintN(64, cookie)));
      return SUCCESS;
    },

    fd_renumber(from: number, to: number) {
      world.descriptors.renumber(from, to);
      return SUCCESS;
    },

    fd_seek(fd: number, offset: bigint, whence: number, result: number) {
      const target = whence === WHENCE.cur && offset === 0n ? told(fd) : file(fd, RIGHT.fdSeek);
      let from: number;
      if (whence === WHENCE.set) from = 0;
      else if (whence === WHENCE.cur) from = target.position;
      else if (whence === WHENCE.end) from = fstatSync(target.host).size;
      else return ERRNO.INVAL;
      const position = BigInt(from) + offset;
      if (position < 0n) return ERRNO.INVAL;
      if (position > MOST_OFFSET) return ERRNO.OVERFLOW;
      memory.setU64(result, position);
      target.position = Number(position);
      return SUCCESS;
    },

    fd_tell(fd: number, result: number) {
      memory.setU64(result, BigInt(told(fd).position));
      return SUCCESS;
    },
  };
}

function offsetOf(offset: bigint): number {
  if (offset < 0n || offset > MOST_OFFSET) throw new WasiError(ERRNO.INVAL);
  return Number(offset);
}

function filetypeOfDescriptor(descriptor: Descriptor): number {
  switch (descriptor.kind) {
    case 'directory':
      return FILETYPE.directory;
    case 'stream':
      return descriptor.filetype;
    case 'file':
      return filetypeOf(fstatSync(descriptor.host, { bigint: true }));
  }
}

/** Of a pipe or a device nothing is known but its kind, wherever the module runs; of a redirected file its size is. */
const fileBehind = ({ filetype, stream }: OpenStream): number | undefined => (filetype === FILETYPE.regular ? stream.host : undefined);

function preopenedName(descriptor: Descriptor): Uint8Array {
  const name = descriptor.kind === 'directory' ? descriptor.preopened : undefined;
  if (!name) throw new WasiError(ERRNO.BADF);
  return name;
}

function list({ host }: OpenDirectory): readonly Listed[] {
  const path = `/proc/self/fd/${host}/.`;
  const { ino } = fstatSync(host, { bigint: true });
  const dots = ['.', '..'].map((name): Listed => ({ name: Buffer.from(name), filetype: FILETYPE.directory, ino }));
  const names = readdirSync(path, { encoding: 'buffer' });
  return [...dots, ...names.flatMap((name) => describe(path, name))];
}

/** Nothing for what has gone meanwhile. */
function describe(directory: string, name: Buffer): readonly Listed[] {
  const stats = lstatSync(Buffer.concat([Buffer.from(`${directory}/`), name]), { bigint: true, throwIfNoEntry: false });
  return stats ? [{ name, filetype: filetypeOf(stats), ino: stats.ino }] : [];
}

/** As many as fit, the last one cut where they don't. Returns how many bytes. */
function writeEntries(entries: readonly Listed[], target: Uint8Array, cookie: bigint): number {
  let at = 0;
  for (let i = cookie > BigInt(entries.length) ? entries.length : Number(cookie); i < entries.length && at < target.length; i++) {
    const { name, filetype, ino } = entries[i]!;
    const entry = new Uint8Array(DIRENT_BYTES + name.length);
    const view = new DataView(entry.buffer);
    view.setBigUint64(0, BigInt(i + 1), true);
    view.setBigUint64(8, ino, true);
    view.setUint32(16, name.length, true);
    view.setUint8(20, filetype);
    entry.set(name, DIRENT_BYTES);
    const fits = entry.subarray(0, target.length - at);
    target.set(fits, at);
    at += fits.length;
  }
  return at;
}
