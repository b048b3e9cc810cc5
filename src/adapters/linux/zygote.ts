import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { writeSync } from 'node:fs';
import { HearthError } from '../../kernel/mod.ts';
import type { Log } from '../../kernel/mod.ts';
import { RECORD } from '../../../runtimes/ladder/orders.ts';
import type { BlankMessage, EnterMessage } from '../../../runtimes/ladder/orders.ts';
import { libc } from '../../../runtimes/ladder/libc.ts';
import { Control } from './control.ts';
import type { Runtime } from './runtime.ts';

export type ZygoteOptions = {
  readonly runtime: Runtime;
  /** The directory with the runtime's files. */
  readonly files: string;
  /** Of every process that descends from this zygote. */
  readonly memoryClassMiB: number;
  readonly log: Log;
};

/** By its descriptor in the new process; at the address that the library asks for. */
const PRELOAD = { LD_PRELOAD: '/proc/self/fd/4', LD_USE_LOAD_BIAS: '1' };

/** A booted runtime, waiting to be forked. Ends with this process. */
export class Zygote {
  readonly runtime: Runtime;
  readonly files: string;
  readonly memoryClassMiB: number;
  readonly #process: ChildProcess;
  readonly #control: Control;
  readonly #ready: Promise<void>;
  log: Log;
  alive = true;

  constructor(options: ZygoteOptions) {
    const { runtime, files, memoryClassMiB, log } = options;
    this.runtime = runtime;
    this.files = files;
    this.memoryClassMiB = memoryClassMiB;
    this.log = log;
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
    const program = runtime.zygote(files, memoryClassMiB);
    const library = program.library && inMemory(program.library);
    this.#process = spawn(program.file, [...program.arguments, String(process.pid)], {
      stdio: ['ignore', 'ignore', 'pipe', this.#control.far, library ?? 'ignore'],
      env: library === undefined ? program.environment : { ...program.environment, ...PRELOAD },
      cwd: '/',
    });
    libc.close(this.#control.far);
    if (program.told !== undefined) this.#control.send(program.told);
    if (library !== undefined) libc.close(library);
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

  /** The same of a zygote whose templates enter what another one has made: `ends` are the template's connection to its keeper, and output. */
  orderTemplate(message: EnterMessage, ...ends: readonly number[]): void {
    this.#control.send(message, ends);
  }

  /** Settles when the process is gone. */
  async close(): Promise<void> {
    // Whoever waits for its end, and for nothing else, lives until then.
    this.#process.ref();
    const gone = new Promise<void>((resolve) => {
      if (this.#process.exitCode !== null || this.#process.signalCode !== null || this.#process.pid === undefined) resolve();
      else this.#process.once('exit', () => resolve());
    });
    this.#control.close();
    this.#process.kill('SIGKILL');
    await gone;
  }
}

/** A descriptor of a file without a name; undefined where there are none. */
function inMemory(bytes: Buffer): number | undefined {
  const MFD_CLOEXEC = 1;
  const fd = libc.memfd_create('library', MFD_CLOEXEC);
  if (fd === -1) return undefined;
  writeSync(fd, bytes);
  return fd;
}
