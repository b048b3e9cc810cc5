/**
 * Messages with file descriptors over a Unix stream socket: u32 length (little-endian), then so many bytes of JSON. Descriptors travel
 * with the first byte (SCM_RIGHTS, unix(7)); the kernel never merges bytes across them. And records: fixed 16 bytes, four u32.
 */
import { readSync } from 'node:fs';
import { check, lastErrno, libc, pinned } from './libc.ts';

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

const MESSAGE_BYTES = 256 * 1024;
const CONTROL_BYTES = 256;
export const RECORD_BYTES = 16;

// struct msghdr, one struct iovec, control messages, data.
const head = pinned(4096);
const IOVEC = 64;
const CONTROL = 128;
const data = pinned(MESSAGE_BYTES + 4);
head.buffer.writeBigUInt64LE(head.address + BigInt(IOVEC), 16);
head.buffer.writeBigUInt64LE(1n, 24);
head.buffer.writeBigUInt64LE(data.address, IOVEC);

/** Both ends of a new connection, close-on-exec. */
export function socketPair(): [number, number] {
  const pair = pinned(8);
  check(libc.socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.buffer), 'socketpair');
  return [pair.buffer.readInt32LE(0), pair.buffer.readInt32LE(4)];
}

/** A pipe, close-on-exec: [reading end, writing end]. */
export function pipe(): [number, number] {
  const pair = pinned(8);
  check(libc.pipe2(pair.buffer, SOCK_CLOEXEC), 'pipe2');
  return [pair.buffer.readInt32LE(0), pair.buffer.readInt32LE(4)];
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
  const length = data.buffer.write(JSON.stringify(message), 4);
  if (length > MESSAGE_BYTES - 8) throw new Error('a message to a sandbox is too long');
  data.buffer.writeUInt32LE(length, 0);
  return send(fd, 4 + length, fds);
}

export function sendRecord(fd: number, kind: number, a = 0, b = 0, c = 0): boolean {
  data.buffer.writeUInt32LE(kind, 0);
  data.buffer.writeUInt32LE(a >>> 0, 4);
  data.buffer.writeUInt32LE(b >>> 0, 8);
  data.buffer.writeUInt32LE(c >>> 0, 12);
  return send(fd, RECORD_BYTES, []);
}

function send(fd: number, length: number, fds: readonly number[]): boolean {
  let sent = 0;
  while (sent < length) {
    head.buffer.writeBigUInt64LE(data.address + BigInt(sent), IOVEC);
    head.buffer.writeBigUInt64LE(BigInt(length - sent), IOVEC + 8);
    writeControl(sent === 0 ? fds : []);
    const count = Number(libc.sendmsg(fd, head.buffer, MSG_NOSIGNAL));
    if (count >= 0) sent += count;
    else if (lastErrno() === EAGAIN && sent === 0) return false;
    else if (lastErrno() !== EINTR && lastErrno() !== EAGAIN) check(-1, 'sendmsg');
  }
  return true;
}

function writeControl(fds: readonly number[]): void {
  const length = fds.length === 0 ? 0 : 16 + 4 * fds.length;
  head.buffer.writeBigUInt64LE(length === 0 ? 0n : head.address + BigInt(CONTROL), 32);
  head.buffer.writeBigUInt64LE(BigInt(length), 40);
  if (length === 0) return;
  head.buffer.writeBigUInt64LE(BigInt(length), CONTROL);
  head.buffer.writeInt32LE(SOL_SOCKET, CONTROL + 8);
  head.buffer.writeInt32LE(SCM_RIGHTS, CONTROL + 12);
  fds.forEach((fd, i) => head.buffer.writeInt32LE(fd, CONTROL + 16 + 4 * i));
}

export type Message = { readonly message: unknown; readonly fds: readonly number[] };

/** Waits for one message; undefined at the end of the stream. */
export function receiveMessage(fd: number): Message | undefined {
  const first = receive(fd, 4);
  if (first.count === 0) return undefined;
  for (let got = first.count; got < 4;) got += readMore(fd, got, 4 - got);
  const length = data.buffer.readUInt32LE(0);
  if (length > MESSAGE_BYTES) throw new Error('a message is too long');
  for (let got = 0; got < length;) got += readMore(fd, 4 + got, length - got);
  return { message: JSON.parse(data.buffer.toString('utf8', 4, 4 + length)), fds: first.fds };
}

export type Record = { readonly kind: number; readonly a: number; readonly b: number; readonly c: number; readonly pid: number };

/**
 * Takes one record that is there; `pid` is the sender's, told by the kernel, where `receiveCredentials` was asked for. Undefined at the end.
 * Throws at less than a record: they are sent whole, and a receiver must not wait for a sender that it doesn't trust.
 */
export function receiveRecord(fd: number): Record | undefined {
  const { count, pid, fds } = receive(fd, RECORD_BYTES);
  for (const each of fds) libc.close(each);
  if (count === 0) return undefined;
  if (count < RECORD_BYTES) throw new Error('a record broke off');
  return decodeRecord(data.buffer, 0, pid);
}

export function decodeRecord(buffer: Buffer, at: number, pid = 0): Record {
  return {
    kind: buffer.readUInt32LE(at),
    a: buffer.readUInt32LE(at + 4),
    b: buffer.readUInt32LE(at + 8),
    c: buffer.readUInt32LE(at + 12),
    pid,
  };
}

function receive(fd: number, length: number): { count: number; fds: number[]; pid: number } {
  head.buffer.writeBigUInt64LE(data.address, IOVEC);
  head.buffer.writeBigUInt64LE(BigInt(length), IOVEC + 8);
  head.buffer.writeBigUInt64LE(head.address + BigInt(CONTROL), 32);
  for (;;) {
    head.buffer.writeBigUInt64LE(BigInt(CONTROL_BYTES), 40);
    const count = Number(libc.recvmsg(fd, head.buffer, MSG_CMSG_CLOEXEC));
    if (count >= 0) return { count, ...readControl() };
    if (lastErrno() !== EINTR) check(-1, 'recvmsg');
  }
}

function readControl(): { fds: number[]; pid: number } {
  const end = CONTROL + Number(head.buffer.readBigUInt64LE(40));
  const fds: number[] = [];
  let pid = 0;
  for (let at = CONTROL; at + 16 <= end;) {
    const length = Number(head.buffer.readBigUInt64LE(at));
    const type = head.buffer.readInt32LE(at + 12);
    if (type === SCM_RIGHTS) for (let i = at + 16; i + 4 <= at + length; i += 4) fds.push(head.buffer.readInt32LE(i));
    if (type === SCM_CREDENTIALS) pid = head.buffer.readInt32LE(at + 16);
    at += (length + 7) & ~7;
  }
  return { fds, pid };
}

function readMore(fd: number, at: number, length: number): number {
  const count = readSync(fd, data.buffer, at, length, null);
  if (count === 0) throw new Error('a message broke off');
  return count;
}
