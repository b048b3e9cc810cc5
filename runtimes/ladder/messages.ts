/**
 * Messages with file descriptors over a Unix stream socket: u32 length (little-endian), then so many bytes of JSON. Descriptors travel
 * with the first byte (SCM_RIGHTS, unix(7)); the kernel never merges bytes across them. And records: fixed 16 bytes, four u32.
 */
import { readSync } from 'node:fs';
import { check, lastErrno, libc, pinned } from './libc.ts';
import { architecture } from './syscalls.ts';
import { readUint32 } from './uint32.ts';
import { uncurry } from './uncurry.ts';

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_PASSCRED = 16;
const SCM_RIGHTS = 1;
const SCM_CREDENTIALS = 2;
const MSG_NOSIGNAL = 0x4000;
const MSG_CMSG_CLOEXEC = 0x40000000;
const EINTR = 4;
const EAGAIN = 11;
const ECONNRESET = 104;

const MESSAGE_BYTES = 256 * 1024;
const CONTROL_BYTES = 256;
export const RECORD_BYTES = 16;

// User code shares the template's process, and may have changed any prototype by the time it is told to fork: numbers are read and written
// by index, and everything else is taken from the globals before.
const { parse, stringify } = JSON;
const toNumber: (value: unknown) => number = Number;
const toBigInt: (value: number) => bigint = BigInt;
const writeText = uncurry<Buffer, [string, number, number, BufferEncoding], number>((Buffer.prototype as Buffer).write);
const readText = uncurry<Buffer, [BufferEncoding, number, number], string>((Buffer.prototype as Buffer).toString);

// struct msghdr (its second half: iovec, count, control, length), one struct iovec, control messages; by words of 8 and of 4 bytes.
const head = pinned(4096);
const words = new BigUint64Array(head.buffer.buffer);
const halves = new Int32Array(head.buffer.buffer);
const MSG_IOV = 16 / 8;
const MSG_IOVLEN = 24 / 8;
const MSG_CONTROL = 32 / 8;
const MSG_CONTROLLEN = 40 / 8;
const IOVEC_BYTES = 64;
const IOV_BASE = IOVEC_BYTES / 8;
const IOV_LEN = IOV_BASE + 1;
const CONTROL = 128;
const controlAddress = head.address + BigInt(CONTROL);
const data = pinned(MESSAGE_BYTES + 4);
const dataHalves = new Uint32Array(data.buffer.buffer);
words[MSG_IOV] = head.address + BigInt(IOVEC_BYTES);
words[MSG_IOVLEN] = 1n;
words[IOV_BASE] = data.address;

const pair = pinned(8);
// By index: user code may have changed what buffers can do.
const ends = new Int32Array(pair.buffer.buffer);

/** Both ends of a new connection, close-on-exec. */
export function socketPair(): [number, number] {
  check(libc.socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.address), 'socketpair');
  return [ends[0]!, ends[1]!];
}

/** A pipe, close-on-exec: [reading end, writing end]. */
export function pipe(): [number, number] {
  check(libc.pipe2(pair.address, SOCK_CLOEXEC), 'pipe2');
  return [ends[0]!, ends[1]!];
}

const F_SETFL = 4;
const O_NONBLOCK = 0o4000;
const O_DIRECT = architecture() === 'x64' ? 0o40000 : 0o200000;

/** A pipe in packet mode, close-on-exec, whose writing end does not block: [reading end, writing end]. */
export function packetPipe(): [number, number] {
  check(libc.pipe2(pair.address, SOCK_CLOEXEC | O_DIRECT), 'pipe2');
  const [reading, writing] = [ends[0]!, ends[1]!];
  check(libc.fcntl(writing, F_SETFL, O_NONBLOCK | O_DIRECT), 'fcntl');
  return [reading, writing];
}

/** Asks the kernel to attach the sender's pid to what arrives on this socket. */
export function receiveCredentials(fd: number): void {
  const one = Buffer.alloc(4);
  one.writeInt32LE(1);
  check(libc.setsockopt(fd, SOL_SOCKET, SO_PASSCRED, one, 4), 'setsockopt SO_PASSCRED');
}

/**
 * Sends one message whole. False when a non-blocking socket has no room (nothing was sent). Throws when the peer is gone.
 * The descriptors stay open here.
 */
export function sendMessage(fd: number, message: unknown, fds: readonly number[] = []): boolean {
  const length = writeText(data.buffer, stringify(message), 4, MESSAGE_BYTES, 'utf8');
  if (length > MESSAGE_BYTES - 8) throw new Error('a message to a sandbox is too long');
  dataHalves[0] = length;
  return send(fd, 4 + length, fds);
}

export function sendRecord(fd: number, kind: number, a = 0, b = 0, c = 0): boolean {
  dataHalves[0] = kind;
  dataHalves[1] = a;
  dataHalves[2] = b;
  dataHalves[3] = c;
  return send(fd, RECORD_BYTES, NONE);
}

const NONE: readonly number[] = [];

function send(fd: number, length: number, fds: readonly number[]): boolean {
  let sent = 0;
  while (sent < length) {
    words[IOV_BASE] = data.address + toBigInt(sent);
    words[IOV_LEN] = toBigInt(length - sent);
    writeControl(sent === 0 ? fds : NONE);
    const count = toNumber(libc.sendmsg(fd, head.address, MSG_NOSIGNAL));
    if (count >= 0) sent += count;
    else if (lastErrno() === EAGAIN && sent === 0) return false;
    else if (lastErrno() !== EINTR && lastErrno() !== EAGAIN) check(-1, 'sendmsg');
  }
  return true;
}

function writeControl(fds: readonly number[]): void {
  const length = fds.length === 0 ? 0 : 16 + 4 * fds.length;
  words[MSG_CONTROL] = length === 0 ? 0n : controlAddress;
  words[MSG_CONTROLLEN] = toBigInt(length);
  if (length === 0) return;
  words[CONTROL / 8] = toBigInt(length);
  halves[CONTROL / 4 + 2] = SOL_SOCKET;
  halves[CONTROL / 4 + 3] = SCM_RIGHTS;
  for (let i = 0; i < fds.length; i++) halves[CONTROL / 4 + 4 + i] = fds[i]!;
}

export type Message = { readonly message: unknown; readonly fds: readonly number[] };

/** Waits for one message; undefined at the end of the stream. */
export function receiveMessage(fd: number): Message | undefined {
  const first = receive(fd, 4);
  if (first.count === 0) return undefined;
  for (let got = first.count; got < 4;) got += readMore(fd, got, 4 - got);
  const length = dataHalves[0]!;
  if (length > MESSAGE_BYTES) throw new Error('a message is too long');
  for (let got = 0; got < length;) got += readMore(fd, 4 + got, length - got);
  return { message: parse(readText(data.buffer, 'utf8', 4, 4 + length)), fds: first.fds };
}

export type Record = { readonly kind: number; readonly a: number; readonly b: number; readonly c: number; readonly pid: number };

/**
 * Waits for one record; `pid` is the sender's, told by the kernel, where `receiveCredentials` was asked for. Undefined at the end. No record
 * has descriptors: those that untrusted code sends along are closed.
 */
export function receiveRecord(fd: number): Record | undefined {
  const { count, fds, pid } = receive(fd, RECORD_BYTES);
  for (let i = 0; i < fds.length; i++) libc.close(fds[i]!);
  if (count === 0) return undefined;
  for (let got = count; got < RECORD_BYTES;) got += readMore(fd, got, RECORD_BYTES - got);
  return decodeRecord(data.buffer, 0, pid);
}

export function decodeRecord(buffer: Buffer, at: number, pid = 0): Record {
  return {
    kind: readUint32(buffer, at),
    a: readUint32(buffer, at + 4),
    b: readUint32(buffer, at + 8),
    c: readUint32(buffer, at + 12),
    pid,
  };
}

function receive(fd: number, length: number): { count: number; fds: number[]; pid: number } {
  words[IOV_BASE] = data.address;
  words[IOV_LEN] = toBigInt(length);
  words[MSG_CONTROL] = controlAddress;
  for (;;) {
    words[MSG_CONTROLLEN] = toBigInt(CONTROL_BYTES);
    const count = toNumber(libc.recvmsg(fd, head.address, MSG_CMSG_CLOEXEC));
    if (count >= 0) return { count, ...readControl() };
    const errno = lastErrno();
    // The peer has gone without reading all that was sent to it.
    if (errno === ECONNRESET) return { count: 0, fds: [], pid: 0 };
    if (errno !== EINTR) check(-1, 'recvmsg');
  }
}

function readControl(): { fds: number[]; pid: number } {
  const end = CONTROL + toNumber(words[MSG_CONTROLLEN]);
  const fds: number[] = [];
  let pid = 0;
  for (let at = CONTROL; at + 16 <= end;) {
    const length = toNumber(words[at / 8]);
    const type = halves[at / 4 + 3];
    if (type === SCM_RIGHTS) for (let i = 16; i + 4 <= length; i += 4) fds[fds.length] = halves[(at + i) / 4]!;
    if (type === SCM_CREDENTIALS) pid = halves[at / 4 + 4]!;
    at += (length + 7) & ~7;
  }
  return { fds, pid };
}

function readMore(fd: number, at: number, length: number): number {
  const count = readSync(fd, data.buffer, at, length, null);
  if (count === 0) throw new Error('a message broke off');
  return count;
}
