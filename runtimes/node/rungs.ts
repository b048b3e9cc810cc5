/** Forking a Node process whose other threads stay behind. */
import { dlopen, getCurrentEventLoop, getInt32 } from 'node:ffi';
import { readdirSync, readFileSync } from 'node:fs';
import { check, libc } from '../ladder/libc.ts';
import { nap } from '../ladder/nap.ts';

const SYS_futex = { x64: '202', arm64: '98' }[process.arch as 'x64' | 'arm64'];
const loop = getCurrentEventLoop();
const uvLoopFork = dlopen(null, { uv_loop_fork: { return: 'i32', arguments: ['u64'] } }).functions.uv_loop_fork;
let conditions: readonly bigint[] = [];
/** Of glibc's pthread_cond_t. */
const CONDITION_BYTES = 48n;
const TASKS_AT = 2n * CONDITION_BYTES;
/** Where Node counts the tasks of those threads. */
let tasks: bigint | undefined;

/** So long they may still be at work, or wait for a processor on a busy machine: a child that does not forget them may wait for them for ever. */
const ASLEEP_WITHIN_MS = 10_000;

/** What a child must forget of V8's worker threads: call once, before the first fork. */
export function rememberWorkers(): void {
  for (let ms = 0; ms < ASLEEP_WITHIN_MS && tasks === undefined; ms++) {
    if (ms > 0) nap(1);
    conditions = findConditions();
    const [condition] = conditions;
    if (conditions.length === 1 && getInt32(condition! + TASKS_AT) === 0) tasks = condition! + TASKS_AT;
  }
}

/**
 * The condition variables on which V8's worker threads wait. They remember waiters that do not exist in a child, and glibc would wait for them
 * for ever when V8 signals one. The kernel tells the futex word that a thread sleeps on; in glibc's pthread_cond_t that is at offset 40 or 44 of an
 * 8-byte aligned struct.
 */
function findConditions(): readonly bigint[] {
  const found = new Set<bigint>();
  for (const task of readdirSync('/proc/self/task')) {
    const at = `/proc/self/task/${task}/`;
    if (!readFileSync(`${at}comm`, 'latin1').startsWith('node-V8Worker')) continue;
    const [number, word] = readFileSync(`${at}syscall`, 'latin1').split(' ');
    if (number !== SYS_futex || word === undefined) continue;
    const address = BigInt(word);
    found.add(address - (address % 8n === 0n ? 40n : 44n));
  }
  return [...found];
}

/** fork(2). In the child V8's condition variables are as new; call `reviveLoop` before its event loop runs. */
export const fork = (): number => check(tryFork(), 'fork');

/** The same; -1 where the kernel has no room for another process. */
export function tryFork(): number {
  const pid = libc.fork();
  // By index: user code may have changed how arrays are walked through.
  if (pid === 0) for (let i = 0; i < conditions.length; i++) libc.memset(conditions[i]!, 0, CONDITION_BYTES);
  if (pid === 0 && tasks !== undefined) libc.memset(tasks, BELOW_ZERO, INT_BYTES);
  return pid;
}

/**
 * Behind that condition variable Node's queue of tasks for those threads (node_platform.h) has another, for who waits until all are done, and
 * their number, an int. Node waits so when its event loop has run empty: for ever, where a task was added and nobody is there to do it. So a
 * child begins with so few that it never comes to more than none.
 */
const BELOW_ZERO = 0x80;
const INT_BYTES = 4n;

/** Gives a forked child an event loop of its own: epoll instance, wake-up and signal pipes, thread pool. */
export function reviveLoop(): void {
  check(uvLoopFork(loop), 'uv_loop_fork');
}
