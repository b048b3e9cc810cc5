/**
 * What a test opens is closed after it: the last first, everything whatever becomes of the rest, and what can't be closed is told. By itself
 * node:test goes through what `t.after` was given in the order of the calls, and leaves the rest out once one has failed: a directory would go
 * before those who write into it, and they would keep the process alive.
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { after } from 'node:test';
import type { TestContext } from 'node:test';
import { inspect } from 'node:util';

type Close = () => unknown;

/** Longer than a platform takes to close on a busy machine. What never ends must not keep the rest from being closed. */
const LIMIT_MS = 60_000;

const opened = new WeakMap<TestContext, Close[]>();

/** Has `close` called, and awaited, when test `t` has ended, by whatever end. */
export function closeAfter(t: TestContext, close: Close): void {
  // A test that was ended by its time limit runs on, and may open something still. If it can't be closed node:test tells, for nobody awaits it.
  if (t.signal.aborted) return void closeAll([close]);
  const known = opened.get(t);
  if (known) return void known.push(close);
  const closings = [close];
  opened.set(t, closings);
  t.after(async () => {
    if (t.error === null) return closeAll(closings);
    // Of a test that has failed already node:test tells nothing but that.
    await closeAll(closings).catch((error: unknown) => t.diagnostic(inspect(error)));
  });
}

/** Has a process killed, and awaits its end, when test `t` has ended. */
export function killAfter(t: TestContext, child: ChildProcess): void {
  const ended = once(child, 'exit');
  closeAfter(t, async () => {
    child.kill('SIGKILL');
    await ended;
  });
}

export type CloseAtEnd = (close: Close) => void;

/** Called beside tests, not in one: what the result is given is called, and awaited, after all tests of the file or the suite. */
export function closeAfterAll(): CloseAtEnd {
  const closings: Close[] = [];
  after(() => closeAll(closings));
  return (close) => void closings.push(close);
}

async function closeAll(closings: Close[]): Promise<void> {
  const failures: unknown[] = [];
  // What closes may open, and have that closed.
  for (let close = closings.pop(); close; close = closings.pop()) {
    try {
      await within(close);
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length === 1) throw failures[0];
  if (failures.length > 1) throw new AggregateError(failures, `${failures.length} things that a test has opened could not be closed`);
}

async function within(close: Close): Promise<void> {
  const limit = Promise.withResolvers<never>();
  const timer = setTimeout(() => limit.reject(new Error(`not done after ${LIMIT_MS / 1000} s: ${String(close)}`)), LIMIT_MS);
  try {
    await Promise.race([close(), limit.promise]);
  } finally {
    clearTimeout(timer);
  }
}
