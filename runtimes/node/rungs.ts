/** Forking a Node process whose other threads stay behind. */
import { readdirSync, readFileSync } from 'node:fs';
import { check, getCurrentEventLoop, libc, uvLoopFork } from './libc.ts';

const SYS_futex = { x64: '202', arm64: '98' }[process.arch as 'x64' | 'arm64'];
const loop = getCurrentEventLoop();
let conditions: readonly bigint[] = [];

/**
 * Finds the condition variables on which V8's worker threads wait: call once, before the first fork. They remember waiters that do not
 * exist in a child, and glibc would wait for them for ever when V8 signals one. The kernel tells the futex word that a thread sleeps on;
 * in glibc's pthread_cond_t that is at offset 40 or 44 of an 8-byte aligned struct.
 */
export function rememberConditions(): void {
  const found = new Set<bigint>();
  for (const task of readdirSync('/proc/self/task')) {
    const at = `/proc/self/task/${task}/`;
    if (!readFileSync(`${at}comm`, 'latin1').startsWith('node-V8Worker')) continue;
    const [number, word] = readFileSync(`${at}syscall`, 'latin1').split(' ');
    if (number !== SYS_futex || word === undefined) continue;
    const address = BigInt(word);
    found.add(address - (address % 8n === 0n ? 40n : 44n));
  }
  conditions = [...found];
}

/** fork(2). In the child V8's condition variables are as new; call `reviveLoop` before its event loop runs. */
export const fork = (): number => check(tryFork(), 'fork');

/** The same; -1 where the kernel has no room for another process. */
export function tryFork(): number {
  const pid = libc.fork();
  // By index: user code may have changed how arrays are walked through.
  if (pid === 0) for (let i = 0; i < conditions.length; i++) forgetWorkers(conditions[i]!);
  return pid;
}

const CONDITION_BYTES = 48n;
const BELOW_ZERO = 0x80;

/**
 * Behind that condition variable Node's queue of tasks for those threads (node_platform.h) has another, for who waits until all are done, and
 * their number, an int. Node waits so when its event loop has run empty: for ever, where a task was added and nobody is there to do it. So a
 * child begins with so few that it never comes to more than none.
 */
function forgetWorkers(condition: bigint): void {
  libc.memset(condition, 0, 2n * CONDITION_BYTES);
  libc.memset(condition + 2n * CONDITION_BYTES, BELOW_ZERO, 4n);
}

/** Gives a forked child an event loop of its own: epoll instance, wake-up and signal pipes, thread pool. */
export function reviveLoop(): void {
  check(uvLoopFork(loop), 'uv_loop_fork');
}

type Collection = { readonly type: 'minor' | 'major'; readonly flavor?: 'last-resort' };
const { gc } = globalThis as { gc?: (options: Collection & { readonly execution: 'sync' }) => void };
// Not for user code; the property itself can't be deleted.
(globalThis as { gc?: unknown }).gc = undefined;

/**
 * Collects garbage now, so that children don't, each over pages that it must copy to do so. The host turns the function on
 * (`--expose-gc`). `last-resort`: again and again until nothing is gained, and pages that have become free go back to the system.
 */
export function collectGarbage(type: 'minor' | 'major', flavor?: 'last-resort'): void {
  gc?.({ type, execution: 'sync', ...(flavor && { flavor }) });
}
