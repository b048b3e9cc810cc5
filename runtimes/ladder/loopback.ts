/**
 * The network of a sandbox: a loopback interface, and sockets that listen there for the host. The host gets their descriptors; it accepts what
 * is connected to inside, and nothing else leads out. netdevice(7), ip(7), hosts(5).
 */
import { writeFileSync } from 'node:fs';
import { SystemCallError, check, lastErrno, libc, pinned } from './libc.ts';
import { LOOPBACK_HOSTS } from './isolate.ts';
import type { Listener } from './orders.ts';

const AF_INET = 2;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const SOCK_NONBLOCK = 0o4000;
const EINPROGRESS = 115;
const SOL_SOCKET = 1;
const SO_ERROR = 4;
const POLLOUT = 4;
/** How long a connection of loopback may be on its way while the keeper waits. */
const CONNECTING_MS = 20;
const SIOCSIFFLAGS = 0x8914n;
const SIOCSIFADDR = 0x8916n;
const IFF_UP = 1;
/** Connections that wait for the host to accept them. */
const BACKLOG = 511;
const ADDRESS_BYTES = 16;

/** Brings up the loopback interface of the sandbox's own network namespace. */
export function loopbackUp(): void {
  const request = Buffer.alloc(128);
  request.write('lo');
  request.writeInt16LE(IFF_UP, ADDRESS_BYTES);
  configure(SIOCSIFFLAGS, request, 'bring up loopback');
}

/** A socket that listens at an IPv4 address of this namespace. */
export function listenAt(address: string, port: number): number {
  const fd = check(libc.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), 'socket');
  check(libc.bind(fd, socketAddress(address, port), ADDRESS_BYTES), `bind to ${address}:${port}`);
  check(libc.listen(fd, BACKLOG), 'listen');
  return fd;
}

/** Whoever is inside may listen at every port, as in a container: nothing of the host's is behind them. ip-sysctl. */
export function openLowPorts(): void {
  writeFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', '0');
}

/**
 * A socket that is connected to a port of this namespace's 127.0.0.1 and does not block. The kernel has mostly connected it by itself when it
 * returns; on a busy machine that takes a moment more, which is waited for, but not for a listener that lets nobody in: then it is about to be.
 * Throws SystemCallError when nobody listens there.
 */
export function connectTo(port: number): number {
  const fd = check(libc.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), 'socket');
  if (libc.connect(fd, socketAddress('127.0.0.1', port), ADDRESS_BYTES) === 0) return fd;
  let errno = lastErrno();
  if (errno === EINPROGRESS) errno = outcomeOf(fd);
  if (errno === 0) return fd;
  libc.close(fd);
  throw new SystemCallError(`connect to port ${port}`, errno);
}

const polled = pinned(64);
const option = pinned(64);

/** What becomes of a connection that is being made: an errno; 0: it is made, or may yet be. */
function outcomeOf(fd: number): number {
  polled.buffer.writeInt32LE(fd, 0);
  polled.buffer.writeInt32LE(POLLOUT, 4);
  libc.poll(polled.address, 1n, CONNECTING_MS);
  option.buffer.writeInt32LE(0, 0);
  option.buffer.writeUInt32LE(4, 8);
  check(libc.getsockopt(fd, SOL_SOCKET, SO_ERROR, option.buffer, option.address + 8n), 'getsockopt SO_ERROR');
  return option.buffer.readInt32LE(0);
}

/** Listens for all that a function was granted, and their names in /etc/hosts. */
export function listenFor(listeners: readonly Listener[]): number[] {
  const own = [...new Set(listeners.map(({ address }) => address))].filter((address) => !address.startsWith('127.'));
  for (const [i, address] of own.entries()) addAddress(`lo:${i + 1}`, address);
  const names = listeners.flatMap(({ address, name }) => (name === undefined ? [] : [`${address} ${name}\n`]));
  writeFileSync('/etc/hosts', LOOPBACK_HOSTS + [...new Set(names)].join(''));
  return listeners.map(({ address, port }) => listenAt(address, port));
}

/** One more address of the loopback interface. */
function addAddress(name: string, address: string): void {
  const request = Buffer.alloc(128);
  request.write(name);
  socketAddress(address, 0).copy(request, ADDRESS_BYTES);
  configure(SIOCSIFADDR, request, `add the address ${address}`);
}

function configure(order: bigint, request: Buffer, what: string): void {
  const fd = check(libc.socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), 'socket');
  check(libc.ioctl(fd, order, request), what);
  libc.close(fd);
}

/** struct sockaddr_in. */
function socketAddress(address: string, port: number): Buffer {
  const bytes = Buffer.alloc(ADDRESS_BYTES);
  bytes.writeUInt16LE(AF_INET, 0);
  bytes.writeUInt16BE(port, 2);
  bytes.set(address.split('.').map(Number), 4);
  return bytes;
}
