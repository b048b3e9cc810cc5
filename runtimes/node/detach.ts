/**
 * For instances that are forked although init left something open: what a fork would share with its siblings is replaced by something of the
 * instance's own. Connections are at their end, so that pools and clients make new ones; servers hear of nobody; files are open anew, at the
 * same position. What is neither is left as it is.
 */
import { check, libc, pinned } from '../ladder/libc.ts';
import { pipe, socketPair } from '../ladder/messages.ts';

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOL_SOCKET = 1;
const SO_TYPE = 3;
const SO_ACCEPTCONN = 30;
const F_GETFL = 3;
const F_SETFL = 4;
const F_GETPIPE_SZ = 1032;
const O_ACCMODE = 3;
const O_APPEND = 0o2000;
const O_NONBLOCK = 0o4000;
const O_CLOEXEC = 0o2000000;
const SEEK_SET = 0;
const SEEK_CUR = 1;

const options = pinned(8);
const words = new Int32Array(options.buffer.buffer);
const lengthAddress = options.address + 4n;
const toNumber: (value: unknown) => number = Number;

/** Nothing of user code's is called: this is after init. */
export function detachShared(fds: readonly number[]): void {
  for (let i = 0; i < fds.length; i++) {
    const fd = fds[i]!;
    const fresh = inPlaceOf(fd);
    if (fresh === -1) continue;
    check(libc.dup3(fresh, fd, O_CLOEXEC), 'dup3');
    libc.close(fresh);
  }
}

function inPlaceOf(fd: number): number {
  const type = socketOption(fd, SO_TYPE);
  if (type === SOCK_DGRAM) return check(libc.socket(AF_UNIX, SOCK_DGRAM | O_CLOEXEC | O_NONBLOCK, 0), 'socket');
  if (type !== undefined) return socketOption(fd, SO_ACCEPTCONN) === 1 ? lonelyServer() : endOf(socketPair(), 0);
  if (libc.fcntl(fd, F_GETPIPE_SZ, 0) >= 0) return endOf(pipe(), (libc.fcntl(fd, F_GETFL, 0) & O_ACCMODE) === 0 ? 0 : 1);
  return fileAgain(fd);
}

/** One end, of which the other is closed. */
function endOf(ends: readonly [number, number], which: 0 | 1): number {
  libc.close(ends[which === 0 ? 1 : 0]);
  check(libc.fcntl(ends[which], F_SETFL, O_NONBLOCK), 'fcntl');
  return ends[which];
}

/** It listens where nobody knows. */
function lonelyServer(): number {
  const fd = check(libc.socket(AF_UNIX, SOCK_STREAM | O_CLOEXEC | O_NONBLOCK, 0), 'socket');
  words[0] = AF_UNIX;
  // An address of a family alone: the kernel gives it a name.
  check(libc.bind(fd, options.buffer, 2), 'bind');
  check(libc.listen(fd, 1), 'listen');
  return fd;
}

/** -1 where it is no file, or can't be opened again. */
function fileAgain(fd: number): number {
  const position = libc.lseek(fd, 0n, SEEK_CUR);
  if (toNumber(position) < 0) return -1;
  const flags = libc.fcntl(fd, F_GETFL, 0) & (O_ACCMODE | O_APPEND | O_NONBLOCK);
  const fresh = libc.open(`/proc/self/fd/${fd}`, flags | O_CLOEXEC, 0);
  if (fresh !== -1) libc.lseek(fresh, position, SEEK_SET);
  return fresh;
}

function socketOption(fd: number, name: number): number | undefined {
  words[1] = 4;
  return libc.getsockopt(fd, SOL_SOCKET, name, options.buffer, lengthAddress) === 0 ? words[0] : undefined;
}
