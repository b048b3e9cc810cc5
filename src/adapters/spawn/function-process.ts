import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import type { Clock } from '../../kernel/mod.ts';
import type { Exit, SandboxSpec } from '../../ports/mod.ts';
import type { LogLevel } from '../../protocol/mod.ts';
import { Lines, linkSocket } from '../link/mod.ts';
import type { Link } from '../link/mod.ts';
import { functionEnvironment } from './function-environment.ts';
import type { PlainRuntime } from './plain-runtime.ts';
import type { Watchdog } from './watchdog.ts';

export type FunctionProcessOptions = {
  readonly spec: SandboxSpec;
  readonly runtime: PlainRuntime;
  /** What runs it. */
  readonly program: { readonly file: string; readonly arguments: readonly string[] };
  /** Where each process gets a directory for its temporary files. */
  readonly temporary: string;
  readonly watchdog: Watchdog;
  readonly clock: Clock;
};

/** How long output is awaited after the process has ended: a child that got away may hold the pipe open. */
const LAST_OUTPUT_MS = 1_000;

/** One plain process that runs one function; it leads its own process group. */
export class FunctionProcess {
  readonly link: Link;
  /** Settles when the process is gone and its output has been read. */
  readonly exited: Promise<Exit>;
  onOutput: (text: string, level: LogLevel) => void = () => {};
  readonly #child: ChildProcess;
  readonly #options: FunctionProcessOptions;
  #outOfMemory = false;
  #ended = false;

  constructor(options: FunctionProcessOptions) {
    this.#options = options;
    const { spec, temporary } = options;
    const tmp = mkdtempSync(join(temporary, 'instance-'));
    this.#child = start(options, functionEnvironment(spec, tmp));
    const { pid } = this.#child;
    if (pid === undefined) {
      // The reason comes as an 'error' event, later.
      this.#child.on('error', () => {});
      rmSync(tmp, { recursive: true, force: true });
      throw new Error('the operating system refused to start a process');
    }
    options.watchdog.add(pid);
    this.link = linkSocket(this.#child.stdio[3] as Socket);
    this.#read('stdout', 'INFO');
    this.#read('stderr', 'ERROR');
    this.exited = this.#end(tmp);
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** Ends the whole process group. Its number may be that of others once it has ended. */
  kill(): void {
    if (this.#ended) return;
    try {
      process.kill(-this.#child.pid!, 'SIGKILL');
    } catch {
      // ESRCH: nobody of the group is left.
    }
  }

  /** To the process alone. */
  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Ends the process when it uses more than its memory, as far as this can be seen from outside: only on Linux. */
  async checkMemory(): Promise<void> {
    const status = await readFile(`/proc/${this.#child.pid}/status`, 'latin1').catch(() => '');
    const residentKiB = Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0);
    const { spec, runtime } = this.#options;
    if (this.#ended || residentKiB <= (spec.memoryMiB + runtime.ownMemoryMiB) * 1024) return;
    this.#outOfMemory = true;
    this.kill();
  }

  #read(stream: 'stdout' | 'stderr', level: LogLevel): void {
    const lines = new Lines((line) => {
      if (this.#options.runtime.saysOutOfMemory(line)) this.#outOfMemory = true;
      this.onOutput(line, level);
    });
    this.#child[stream]?.on('data', (chunk: Buffer) => lines.push(chunk)).on('end', () => lines.end());
  }

  async #end(tmp: string): Promise<Exit> {
    const exit = await this.#exit();
    await rm(tmp, { recursive: true, force: true });
    return exit;
  }

  #exit(): Promise<Exit> {
    const child = this.#child;
    return new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        this.kill();
        this.#ended = true;
        this.#options.watchdog.remove(child.pid!);
        const settle = () => resolve(this.#describe(code, signal));
        const patience = this.#options.clock.after(LAST_OUTPUT_MS, settle);
        child.once('close', () => {
          patience.cancel();
          settle();
        });
      });
    });
  }

  #describe(code: number | null, signal: string | null): Exit {
    if (this.#outOfMemory) return { kind: 'outOfMemory' };
    return signal === null ? { kind: 'exited', code: code ?? 0 } : { kind: 'signalled', signal };
  }
}

function start({ spec, program }: FunctionProcessOptions, env: Record<string, string>): ChildProcess {
  return spawn(program.file, [...program.arguments], {
    cwd: spec.codeDirectory,
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  });
}
