/**
 * Runs test files by node:test, each in a process of its own, and sees to it that the run ends: node:test limits the time of a test, not that
 * of a file whose tests do not begin or end, and not that of all together. What is ended takes with it what it has started.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';
import { below, killAll, readProcesses } from './processes.ts';
import type { Process } from './processes.ts';

export type Limits = {
  readonly testMs: number;
  /** How long a process may live on when the tests of its file are done. */
  readonly patienceMs: number;
  readonly fileMs: number;
  readonly runMs: number;
};

/** The longest take less than half of it. */
export const LIMITS: Limits = { testMs: 300_000, patienceMs: 30_000, fileMs: 10 * 60_000, runMs: 25 * 60_000 };

export type Run = {
  readonly directory: string;
  /** As node:test is given them, relative to `directory`. */
  readonly files: readonly string[];
  readonly atOnce: number;
  /** More options of node:test. */
  readonly flags?: readonly string[];
  readonly limits?: Limits;
};

const LOOK_MS = 1_000;
/** For node:test to say what has failed so far. */
const LAST_WORD_MS = 10_000;

/** Resolves with the exit code: 0 if all passed. */
export async function runTests({ directory, files, atOnce, flags = [], limits = LIMITS }: Run): Promise<number> {
  const options = [
    '--test',
    `--test-concurrency=${atOnce}`,
    '--test-reporter=spec',
    `--test-timeout=${limits.testMs}`,
    `--import=${new URL(`./test-end.ts?patienceMs=${limits.patienceMs}`, import.meta.url).href}`,
  ];
  // Inside a test, too: node:test would not run tests that a test runs.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const runner = spawn(process.execPath, [...options, ...flags, ...files], { cwd: directory, env, stdio: 'inherit' });
  const ended = once(runner, 'exit') as Promise<[number | null]>;
  const watch = watchRun(runner, files, limits);
  try {
    const [code] = await ended;
    return code ?? 1;
  } finally {
    clearInterval(watch);
  }
}

function watchRun(runner: ChildProcess, files: readonly string[], { fileMs, runMs }: Limits): NodeJS.Timeout {
  const startMs = performance.now();
  const since = new Map<number, number>();
  let ending = false;
  return setInterval(() => {
    const processes = readProcesses();
    const running = processes.filter(({ parent, command }) => parent === runner.pid && fileOf(command, files) !== undefined);
    const nowMs = performance.now();
    for (const process of running) {
      const sinceMs = since.get(process.pid) ?? nowMs;
      since.set(process.pid, sinceMs);
      if (nowMs - sinceMs <= fileMs) continue;
      say(`a file may take ${fileMs / 1000} s, and is ended:`, [process], files, processes);
      killAll([process, ...below(process.pid, processes)]);
    }
    if (ending || nowMs - startMs <= runMs) return;
    ending = true;
    say(`all tests together may take ${runMs / 1000} s; these files are still running, and are ended:`, running, files, processes);
    void endRun(
      runner,
      running.flatMap((file) => [file, ...below(file.pid, processes)]),
    );
  }, LOOK_MS);
}

/** The runner goes first, or it would begin the next files. It ends those that run, and what they have started would be nobody's then. */
async function endRun(runner: ChildProcess, started: readonly Process[]): Promise<void> {
  const exit = once(runner, 'exit');
  runner.kill('SIGTERM');
  await Promise.race([exit, wait(LAST_WORD_MS, undefined, { ref: false })]);
  const processes = readProcesses();
  const left = processes.filter(({ pid, command }) => started.some((known) => known.pid === pid && known.command === command));
  killAll([{ pid: runner.pid! }, ...below(runner.pid!, processes), ...left.flatMap((known) => [known, ...below(known.pid, processes)])]);
}

function say(what: string, running: readonly Process[], files: readonly string[], processes: readonly Process[]): void {
  const lines = running.flatMap((file) => [
    `  ${fileOf(file.command, files)}`,
    ...below(file.pid, processes).map(({ pid, command }) => `    has started ${pid} ${command}`),
  ]);
  console.error([what, ...lines].join('\n'));
}

const fileOf = (command: string, files: readonly string[]): string | undefined => files.find((file) => command.endsWith(` ${file}`));
