/**
 * Loaded into the process of each test file. What a test has left open keeps the process alive when its tests are done, and node:test waits for
 * it without a word. Here it gets a while; then the process says what is open, kills what it has started, and fails.
 */
import { subscribe } from 'node:diagnostics_channel';
import { relative } from 'node:path';
import { after } from 'node:test';
import { isMainThread } from 'node:worker_threads';
import { below, killAll } from './processes.ts';

/** Enough for all that a file closes after its last test, on a busy machine. */
const PATIENCE_MS = 30_000;

const [, file = ''] = process.argv;
// A thread, or a process that is forked from the file's, inherits the flag that loads this.
if (isMainThread && process.env['NODE_TEST_CONTEXT'] === 'child-v8' && /\.test\.\w+$/.test(file)) watch();

function watch(): void {
  const patienceMs = Number(new URL(import.meta.url).searchParams.get('patienceMs') ?? PATIENCE_MS);
  let running = 0;
  let timer: NodeJS.Timeout | undefined;
  const wait = () => {
    clearTimeout(timer);
    timer = setTimeout(end, patienceMs).unref();
  };
  // Tests may be added after all that were known have run.
  subscribe('tracing:node.test:start', () => {
    running++;
    clearTimeout(timer);
  });
  subscribe('tracing:node.test:end', () => {
    if (--running === 0 && timer) wait();
  });
  after(wait);
}

function end(): void {
  const open = Map.groupBy(process.getActiveResourcesInfo(), (kind) => kind);
  const started = below(process.pid);
  const lines = [
    `${relative(process.cwd(), file)}: its tests are done, and its process lives on; it is ended.`,
    `  open: ${[...open].map(([kind, those]) => (those.length === 1 ? kind : `${those.length} ${kind}`)).join(', ')} (PipeWrap: its output)`,
    ...started.map(({ pid, command }) => `  still running: ${pid} ${command}`),
  ];
  console.error(lines.join('\n'));
  killAll(started);
  process.exit(1);
}
