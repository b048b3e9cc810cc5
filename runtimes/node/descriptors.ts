/**
 * The zygote's event loops have descriptors, and a fork shares what they refer to: with the zygote, and through it with every other
 * sandbox. What functions get in their place looks alike and belongs to their sandbox alone.
 */
import { openSync, readdirSync, readlinkSync } from 'node:fs';
import { check, libc } from '../ladder/libc.ts';
import { pipe } from '../ladder/messages.ts';

const CLOEXEC = 0o2000000;
const NONBLOCK = 0o4000;
const F_GETFL = 3;
const F_SETFL = 4;
const ACCESS_MODE = 3;
const INPUT = 0;
const FIRST_OWN = 4;

/** Descriptor -> what it refers to. */
export type Descriptors = ReadonlyMap<number, string>;

let ofZygote: Descriptors = new Map();

/** In the zygote, before its first fork. Throws when it holds what `replaceShared` has no replacement for. */
export function rememberShared(): void {
  // Between them are its output and its orders, which no sandbox keeps.
  ofZygote = new Map([...listDescriptors()].filter(([fd]) => fd === INPUT || fd >= FIRST_OWN));
  for (const [fd, target] of ofZygote) {
    if (!replacements.some(({ pattern }) => pattern.test(target)))
      throw new Error(`descriptor ${fd} (${target}) would be shared by all functions`);
  }
}

/** In a template, before it has a function. What the C library or libuv has renewed at the fork already is left alone. */
export function replaceShared(): void {
  const now = listDescriptors();
  const pipes = new Map<string, [number, number]>();
  for (const [fd, target] of ofZygote) {
    if (now.get(fd) !== target) continue;
    const { make } = replacements.find(({ pattern }) => pattern.test(target))!;
    const fresh = make(fd, target, pipes);
    check(libc.dup3(fresh, fd, CLOEXEC), 'dup3');
    if (!target.startsWith('pipe:')) libc.close(fresh);
  }
  for (const fd of [...pipes.values()].flat()) libc.close(fd);
}

type Make = (fd: number, target: string, pipes: Map<string, [number, number]>) => number;

const replacements: readonly { readonly pattern: RegExp; readonly make: Make }[] = [
  { pattern: /^anon_inode:\[eventpoll\]$/, make: () => check(libc.epoll_create1(CLOEXEC), 'epoll_create1') },
  { pattern: /^anon_inode:\[eventfd\]$/, make: () => check(libc.eventfd(0, CLOEXEC | NONBLOCK), 'eventfd') },
  // Its memory is not there in a child, and nothing uses it: the thread that does is not there either.
  { pattern: /^anon_inode:\[io_uring\]$/, make: () => check(libc.eventfd(0, CLOEXEC | NONBLOCK), 'eventfd') },
  // Nothing can be read from it; its flags and locks would be everybody's.
  { pattern: /^\/dev\/null$/, make: () => openSync('/dev/null', 'r+') },
  { pattern: /^pipe:/, make: pipeEnd },
];

/** Two ends of one pipe stay two ends of one. */
function pipeEnd(fd: number, target: string, pipes: Map<string, [number, number]>): number {
  let ends = pipes.get(target);
  if (!ends) {
    ends = pipe();
    for (const end of ends) check(libc.fcntl(end, F_SETFL, NONBLOCK), 'fcntl');
    pipes.set(target, ends);
  }
  return ends[(check(libc.fcntl(fd, F_GETFL, 0), 'fcntl') & ACCESS_MODE) === 0 ? 0 : 1];
}

function listDescriptors(): Map<number, string> {
  const found = new Map<number, string>();
  for (const name of readdirSync('/proc/self/fd')) {
    try {
      found.set(Number(name), readlinkSync(`/proc/self/fd/${name}`));
    } catch {
      // It was the descriptor of the listing itself.
    }
  }
  return found;
}
