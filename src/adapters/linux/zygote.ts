import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { HearthError } from '../../kernel/mod.ts';
import type { Log } from '../../kernel/mod.ts';
import { RECORD } from '../../../runtimes/node/ladder.ts';
import type { BlankMessage } from '../../../runtimes/node/ladder.ts';
import { libc } from '../../../runtimes/node/libc.ts';
import { Control } from './control.ts';

export type ZygoteOptions = {
  /** The directory with the runtime's files as JavaScript. */
  readonly runtime: string;
  /** V8's old space, MiB: fixed for every process that descends from this zygote. */
  readonly heapMiB: number;
  readonly log: Log;
};

const FLAGS = [
  // All of V8's work on the main thread: a forked child has no other. Its heap then needs a limit, or it grows towards the machine's memory.
  '--single-threaded',
  // Node starts threads for V8 all the same. Each leaves its stack and its arena to every child, as mappings and page tables.
  '--v8-pool-size=1',
  // What is compiled before a fork stays compiled in all children.
  '--no-flush-bytecode',
  '--expose-gc',
  '--no-warnings',
  '--disable-sigusr1',
];

/** libuv's io_uring would be inherited, and its system calls are denied to user code. */
const ENVIRONMENT = { UV_USE_IO_URING: '0' };

/** A booted runtime, waiting to be forked. Ends with this process. */
export class Zygote {
  readonly #process: ChildProcess;
  readonly #control: Control;
  readonly #ready: Promise<void>;
  log: Log;
  alive = true;

  constructor(options: ZygoteOptions) {
    this.log = options.log;
    const ready = Promise.withResolvers<void>();
    this.#ready = ready.promise;
    // Whoever orders a sandbox awaits it; a failure nobody waits for is in the log.
    this.#ready.catch((error: unknown) => this.log.error({ error }, 'a zygote did not start'));
    let output = '';
    const lost = () => {
      this.alive = false;
      ready.reject(new HearthError('SandboxFailed', `the zygote ended while it started. It said: ${output.trim() || '(nothing)'}`));
    };
    this.#control = new Control({ onRecord: (record) => void (record.kind === RECORD.ready && ready.resolve()), onClosed: lost });
    const flags = [...FLAGS, `--max-old-space-size=${options.heapMiB}`];
    this.#process = spawn(process.execPath, [...flags, join(options.runtime, 'start.mjs'), String(process.pid)], {
      stdio: ['ignore', 'ignore', 'pipe', this.#control.far],
      env: ENVIRONMENT,
      cwd: '/',
    });
    libc.close(this.#control.far);
    this.#process.on('error', (error) => (output += error.message));
    this.#process.stderr!.on('data', (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-4096);
      this.log.warn({ text: chunk.toString().trim() }, 'a zygote wrote');
    });
    // The pipe alone must not keep the host alive.
    this.#process.unref();
  }

  async ready(): Promise<void> {
    await this.#ready;
  }

  /** Orders a blank sandbox; `ends` are the far ends that it is given: control, output and, with a network of its own, doorway. */
  order(message: BlankMessage, ...ends: readonly number[]): void {
    this.#control.send(message, ends);
  }

  /** Settles when the process is gone. */
  async close(): Promise<void> {
    const gone = new Promise<void>((resolve) => {
      if (this.#process.exitCode !== null || this.#process.signalCode !== null || this.#process.pid === undefined) resolve();
      else this.#process.once('exit', () => resolve());
    });
    this.#control.close();
    this.#process.kill('SIGKILL');
    await gone;
  }
}
