/** WASI preview 1: the functions of paths below open directories, `path_*`. */
import {
  closeSync,
  constants,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
} from 'node:fs';
import type { BigIntStats } from 'node:fs';
import type { Descriptor, OpenDirectory } from './descriptors.ts';
import { O_PLACE } from './descriptors.ts';
import type { Errno } from './errno.ts';
import { ERRNO, WasiError } from './errno.ts';
import { ALL_FDFLAGS, DIRECTORY_RIGHTS, FDFLAG, FILE_RIGHTS, FOLLOW, NEEDS_WRITING, OFLAG, RIGHT, toRights } from './layouts.ts';
import { decodePath, withEntry, withPath } from './paths.ts';
import type { Found } from './paths.ts';
import { checkTimes, setTimes, writeFilestat } from './stat.ts';
import type { World } from './world.ts';

const { SUCCESS } = ERRNO;
const NEW_FILE = 0o666;
const NEW_DIRECTORY = 0o777;

// oxlint-disable-next-line max-lines-per-function -- a table of functions over one world
export function pathFunctions(world: World): Record<string, (...args: never[]) => Errno> {
  const { memory } = world;
  const directory = (fd: number, right: number): OpenDirectory => {
    const found = world.descriptors.get(fd);
    if (found.kind !== 'directory') throw new WasiError(ERRNO.NOTDIR);
    // What libraries have a kind of error for, unlike NOTCAPABLE, and what other hosts answer.
    if ((found.rights & right) !== right) throw new WasiError(ERRNO.PERM);
    return found;
  };
  const text = (address: number, length: number): string => decodePath(memory.bytes(address, length));
  /** An operation on an entry that only names it. */
  const onEntry = (fd: number, right: number, path: number, length: number, act: (path: string) => void): Errno => {
    withEntry(directory(fd, right), text(path, length), act);
    return SUCCESS;
  };
  /** An operation on two entries, the second of which is made. */
  const onTwo = (
    from: readonly [OpenDirectory, string],
    to: readonly [OpenDirectory, string],
    act: (a: string, b: string) => void,
  ): Errno => {
    withEntry(...from, (a) => withEntry(...to, (b) => act(a, b)));
    return SUCCESS;
  };

  return {
    path_create_directory: (fd: number, path: number, length: number) =>
      onEntry(fd, RIGHT.pathCreateDirectory, path, length, (at) => mkdirSync(at, NEW_DIRECTORY)),

    path_remove_directory: (fd: number, path: number, length: number) =>
      onEntry(fd, RIGHT.pathRemoveDirectory, path, length, (at) => rmdirSync(at)),

    path_unlink_file: (fd: number, path: number, length: number) => onEntry(fd, RIGHT.pathUnlinkFile, path, length, (at) => unlinkSync(at)),

    path_filestat_get(fd: number, flags: number, path: number, length: number, result: number) {
      const from = directory(fd, RIGHT.pathFilestatGet);
      const stats = withPath(from, text(path, length), (flags & FOLLOW) !== 0, statOf);
      writeFilestat(memory, result, stats);
      return SUCCESS;
    },

    path_filestat_set_times(fd: number, follow: number, path: number, length: number, atim: bigint, mtim: bigint, flags: number) {
      const from = directory(fd, RIGHT.pathFilestatSetTimes);
      checkTimes(flags);
      const times = { atim: BigInt.asUintN(64, atim), mtim: BigInt.asUintN(64, mtim), flags };
      withPath(from, text(path, length), (follow & FOLLOW) !== 0, (found) => {
        const stats = statOf(found);
        setTimes(found.path, times, () => stats);
      });
      return SUCCESS;
    },

    path_link(oldFd: number, flags: number, oldPath: number, oldLength: number, newFd: number, newPath: number, newLength: number) {
      const [from, to] = [directory(oldFd, RIGHT.pathLinkSource), directory(newFd, RIGHT.pathLinkTarget)];
      if ((flags & FOLLOW) !== 0) return ERRNO.INVAL;
      return onTwo([from, text(oldPath, oldLength)], [to, text(newPath, newLength)], linkSync);
    },

    path_rename(oldFd: number, oldPath: number, oldLength: number, newFd: number, newPath: number, newLength: number) {
      const [from, to] = [directory(oldFd, RIGHT.pathRenameSource), directory(newFd, RIGHT.pathRenameTarget)];
      return onTwo([from, text(oldPath, oldLength)], [to, text(newPath, newLength)], renameSync);
    },

    path_symlink(oldPath: number, oldLength: number, fd: number, newPath: number, newLength: number) {
      const to = directory(fd, RIGHT.pathSymlink);
      const target = text(oldPath, oldLength);
      // It could never be followed here, and whoever else reads it would be led out.
      if (target.startsWith('/')) return ERRNO.PERM;
      if (target === '') return ERRNO.NOENT;
      withEntry(to, text(newPath, newLength), (at) => makeLink(target, at));
      return SUCCESS;
    },

    path_readlink(fd: number, path: number, length: number, buffer: number, size: number, used: number) {
      const from = directory(fd, RIGHT.pathReadlink);
      const target = memory.bytes(buffer, size);
      const link = withPath(from, text(path, length), false, (found) => readlinkSync(found.path, { encoding: 'buffer' }));
      const fits = link.subarray(0, target.length);
      target.set(fits);
      memory.setU32(used, fits.length);
      return SUCCESS;
    },

    path_open(
      fd: number,
      lookup: number,
      path: number,
      length: number,
      oflags: number,
      base: bigint,
      inheriting: bigint,
      fdflags: number,
      result: number,
    ) {
      const create = (oflags & OFLAG.creat) !== 0;
      const truncate = (oflags & OFLAG.trunc) !== 0;
      const needed = RIGHT.pathOpen | (create ? RIGHT.pathCreateFile : 0) | (truncate ? RIGHT.pathFilestatSetSize : 0);
      const from = directory(fd, needed);
      // The libraries of Rust and Go ask for all that there is, and go by what they get; but what it is opened for must be given.
      const rights = toRights(base) & from.inheriting;
      if ((toRights(base) & ~rights & (RIGHT.fdRead | RIGHT.fdWrite)) !== 0) return ERRNO.PERM;
      if ((oflags & ~15) !== 0 || (fdflags & ~ALL_FDFLAGS) !== 0) return ERRNO.INVAL;
      if (create && (oflags & OFLAG.directory) !== 0) return ERRNO.INVAL;
      const asked: Asked = { oflags, rights, inheriting: toRights(inheriting) & from.inheriting, flags: fdflags };
      // Where it has to be new, a link that leads nowhere is there already.
      const follow = (lookup & FOLLOW) !== 0 && !(create && (oflags & OFLAG.excl) !== 0);
      const opened = withPath(from, text(path, length), follow, (found) => openFound(found, asked));
      // Before the descriptor is there: an address that is wrong opens nothing.
      try {
        memory.setU32(result, 0);
      } catch (error) {
        if (opened.kind !== 'stream') closeSync(opened.host);
        throw error;
      }
      memory.setU32(result, world.descriptors.add(opened));
      return SUCCESS;
    },
  };
}

function statOf({ path, directory }: Found): BigIntStats {
  const stats = lstatSync(path, { bigint: true });
  if (directory && !stats.isDirectory()) throw new WasiError(ERRNO.NOTDIR);
  return stats;
}

/** A slash behind the name of what is there and no directory: the system says that it exists, POSIX that it is no directory. */
function makeLink(target: string, at: string): void {
  try {
    symlinkSync(target, at);
  } catch (error) {
    const entry = at.endsWith('/') ? lstatSync(at.slice(0, -1), { throwIfNoEntry: false }) : undefined;
    if (entry && !entry.isDirectory()) throw new WasiError(ERRNO.NOTDIR);
    throw error;
  }
}

type Asked = { readonly oflags: number; readonly rights: number; readonly inheriting: number; readonly flags: number };

function openFound(found: Found, asked: Asked): Descriptor {
  if (found.link === true) {
    if ((asked.oflags & OFLAG.creat) !== 0 && (asked.oflags & OFLAG.excl) !== 0) throw new WasiError(ERRNO.EXIST);
    throw new WasiError(ERRNO.LOOP);
  }
  const stats = lstatSync(found.path, { bigint: true, throwIfNoEntry: false });
  if (stats?.isDirectory()) return openDirectory(found, asked);
  if ((asked.oflags & OFLAG.directory) !== 0 || found.directory) {
    if (stats) throw new WasiError(ERRNO.NOTDIR);
    throw new WasiError((asked.oflags & OFLAG.creat) !== 0 ? ERRNO.ISDIR : ERRNO.NOENT);
  }
  return openFile(found, asked);
}

function openDirectory({ path }: Found, { oflags, rights, inheriting, flags }: Asked): Descriptor {
  if ((oflags & OFLAG.creat) !== 0 && (oflags & OFLAG.excl) !== 0) throw new WasiError(ERRNO.EXIST);
  if ((rights & RIGHT.fdWrite) !== 0 || (oflags & (OFLAG.trunc | OFLAG.creat)) !== 0) throw new WasiError(ERRNO.ISDIR);
  const host = openSync(path, O_PLACE | constants.O_NOFOLLOW);
  return { kind: 'directory', host, preopened: undefined, entries: undefined, rights: rights & DIRECTORY_RIGHTS, inheriting, flags };
}

function openFile({ path }: Found, { oflags, rights, flags }: Asked): Descriptor {
  const create = (oflags & OFLAG.creat) !== 0;
  const how =
    constants.O_NOFOLLOW |
    constants.O_NOCTTY |
    (create ? constants.O_CREAT : 0) |
    (create && (oflags & OFLAG.excl) !== 0 ? constants.O_EXCL : 0) |
    ((flags & FDFLAG.nonblock) !== 0 ? constants.O_NONBLOCK : 0);
  const host = openFor(path, how, rights);
  try {
    if ((oflags & OFLAG.trunc) !== 0) truncateSync(`/proc/self/fd/${host}`, 0);
    return { kind: 'file', host, position: 0, rights: rights & FILE_RIGHTS, inheriting: 0, flags };
  } catch (error) {
    closeSync(host);
    throw error;
  }
}

/** For writing only where its rights ask for it. One that may not be written is opened for reading, unless writing is what was asked for. */
function openFor(path: string, how: number, rights: number): number {
  if ((rights & NEEDS_WRITING) === 0) return openSync(path, how | constants.O_RDONLY, NEW_FILE);
  const writing = (rights & RIGHT.fdRead) !== 0 ? constants.O_RDWR : constants.O_WRONLY;
  try {
    return openSync(path, how | writing, NEW_FILE);
  } catch (error) {
    const refused = ['EACCES', 'EROFS', 'EPERM', 'ETXTBSY'].includes((error as NodeJS.ErrnoException).code ?? '');
    if (!refused || (rights & RIGHT.fdWrite) !== 0) throw error;
    return openSync(path, how | constants.O_RDONLY, NEW_FILE);
  }
}
