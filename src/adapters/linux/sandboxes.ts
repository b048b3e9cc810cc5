import { mkdir } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { join, relative } from 'node:path';
import { HearthError, LIMITS, silentLog, systemClock } from '../../kernel/mod.ts';
import type { Clock, Log } from '../../kernel/mod.ts';
import { isForked } from '../../ports/mod.ts';
import type { BootListener, BootResult, Exit, Instance, Sandboxes, SandboxSpec, Step, Template } from '../../ports/mod.ts';
import type { Endpoint, LogLevel, ReadyPayload } from '../../protocol/mod.ts';
import { node } from '../../../runtimes/node/description.ts';
import { libc } from '../../../runtimes/ladder/libc.ts';
import { socketPair } from '../../../runtimes/ladder/messages.ts';
import { LinkedInstance, awaitReady, linkFd, materialiseRuntime, FUNCTION_STEPS, SANDBOX_STEPS, Steps } from '../link/mod.ts';
import type { Ahead } from './ahead.ts';
import type { Hierarchy } from './cgroup-tree.ts';
import { Cgroups, ownHierarchies } from './cgroups.ts';
import { storeCompileCache } from './compile-caches.ts';
import { MemoryClasses } from './memory-classes.ts';
import { CpuWatch } from './cpu-watch.ts';
import type { Connected } from './doorway.ts';
import { MemoryWatch } from './memory-watch.ts';
import { Programs } from './programs.ts';
import { loaderOf } from './runtime.ts';
import type { Runtime } from './runtime.ts';
import { Sandbox } from './sandbox.ts';
import { Users } from './users.ts';
import type { Zygote } from './zygote.ts';

export type LinuxOptions = {
  /** For the runtime's files and the sandboxes' roots. */
  readonly directory: string;
  /** Every package and layer that a spec names lies below this directory. */
  readonly packages: string;
  /** How many instances there may be. Default 2,000. */
  readonly instances?: number;
  readonly clock?: Clock;
  readonly log?: Log;
  /** Someone in a sandbox of this spec has connected to the platform's port there, or to an endpoint's. Absent: it is hung up. */
  readonly connected?: (connection: Socket, spec: SandboxSpec, endpoint: Endpoint | undefined) => void;
  /** The control groups of the machine, where not all that there are. */
  readonly hierarchies?: readonly Hierarchy[] | undefined;
  /** What functions are run by. Default: Node. */
  readonly runtime?: Runtime;
  /** Started already, of the same runtime; it ends with the sandboxes. */
  readonly ahead?: Ahead | undefined;
};

/** What a sandbox may have of them, beside one for each instance. */
const PROCESSES = 2_096;

type Settled = Required<Pick<LinuxOptions, 'directory' | 'packages' | 'instances' | 'clock' | 'log' | 'connected'>>;

type Installed = { readonly runtime: Runtime; readonly files: string };

/** What a host takes hold of on its machine. */
type Claims = { readonly users: Users; readonly cgroups: Cgroups };

/** The fork ladder: zygote -> sandbox -> template -> instance. Linux with user namespaces; as root or as an ordinary user. */
export class LinuxSandboxes implements Sandboxes {
  readonly driver = 'linux';
  readonly isolated = true;
  readonly #options: Settled;
  readonly #classes: MemoryClasses<Sandbox>;
  readonly #sandboxes = new Set<Sandbox>();
  readonly #users: Users;
  readonly #cgroups: Cgroups;
  readonly #watch: MemoryWatch;
  readonly #cpuWatch: CpuWatch;
  readonly #programs: Programs;
  #closed = false;

  /** Throws HearthError `SandboxFailed` when the zygote does not start. `selfTest` tells whether the machine can do all the rest. */
  static async open(options: LinuxOptions): Promise<LinuxSandboxes> {
    const { ahead, directory, packages, clock = systemClock, log = silentLog, connected = hangUp } = options;
    const { runtime = node, instances = 2 * LIMITS.concurrentInvocations } = options;
    await mkdir(join(directory, 'root'), { recursive: true });
    const files = ahead?.zygote.files ?? (await materialiseRuntime({ runtime, directory: join(directory, 'runtimes') }));
    const claims = { users: await Users.claim(), cgroups: Cgroups.open({ log, hierarchies: options.hierarchies ?? ownHierarchies() }) };
    const sandboxes = new LinuxSandboxes({ directory, packages, instances, clock, log, connected }, { runtime, files }, claims);
    if (ahead) sandboxes.#classes.adopt(ahead.zygote);
    try {
      await sandboxes.#classes.prepare();
      return sandboxes;
    } catch (error) {
      await sandboxes.close();
      throw error;
    }
  }

  private constructor(options: Settled, installed: Installed, { users, cgroups }: Claims) {
    const { clock, log } = options;
    this.#options = options;
    this.#classes = new MemoryClasses({ ...installed, clock, log, make: (zygote) => this.#newSandbox(zygote) });
    this.#users = users;
    this.#cgroups = cgroups;
    this.#watch = new MemoryWatch(clock);
    this.#cpuWatch = new CpuWatch({ clock, yieldAll: (yields) => cgroups.yield(yields) });
    this.#programs = new Programs({
      clock,
      log,
      take: (spec, steps) => this.#takeBlank(spec, steps),
      init: (sandbox, spec, more) => sandbox.init(spec, { ...this.#pathsOf(spec), connected: this.#connectedTo(spec), ...more }),
    });
  }

  async boot(spec: SandboxSpec, listener: BootListener): Promise<BootResult> {
    if (loaderOf(spec.runtime) === 'program') return await this.#programs.boot(spec, listener);
    const steps = new Steps(this.#options.clock);
    const sandbox = this.#takeBlank(spec, steps);
    sandbox.onOutput = (text, level) => listener.log(text, level);
    sandbox.onUnused = (unused) => listener.unused?.(unused);
    const heard = await this.#init(sandbox, spec, listener, steps);
    if (heard.kind === 'ready') return { ok: true, template: new LinuxTemplate(this, sandbox, spec, heard.payload, steps.take()) };
    sandbox.end();
    return { ok: false, failure: heard };
  }

  /** An instance in a sandbox of its own, whose template it is: for functions whose init cannot be shared. `booted`: one whose init has run. */
  bootAlone(spec: SandboxSpec, booted?: Sandbox): Instance {
    const [near, far] = socketPair();
    let sandbox = booted;
    const instance = new LinkedInstance({
      link: linkFd(near),
      start: 'boot',
      clock: this.#options.clock,
      reportsExit: true,
      end: (wanted) => (wanted ? sandbox?.end() : sandbox?.endTemplate()),
    });
    const log = (text: string, level: LogLevel) => instance.onLog?.(text, level);
    const boot = async (): Promise<void> => {
      sandbox ??= this.#takeBlank(spec, instance.steps);
      sandbox.onOutput = log;
      const heard = booted ? undefined : await this.#init(sandbox, spec, { log }, instance.steps);
      if (instance.alive && (heard === undefined || heard.kind === 'ready')) return sandbox.serve(instance, far);
      libc.close(far);
      sandbox.end();
      instance.reportExit(heard?.kind === 'exited' ? heard.exit : { kind: 'exited', code: 1 });
    };
    boot().catch((error: unknown) => {
      this.#options.log.error({ error, label: spec.label }, 'an instance could not be booted');
      libc.close(far);
      instance.kill();
    });
    return instance;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#classes.rest();
    const ended = [...this.#sandboxes].map((sandbox) => sandbox.ended);
    for (const sandbox of this.#sandboxes) sandbox.end();
    await Promise.all(ended);
    await this.#classes.close();
    await this.#cgroups.close();
    this.#users.close();
  }

  async #init(sandbox: Sandbox, spec: SandboxSpec, listener: BootListener, steps: Steps) {
    const givenMs = steps.add('function given');
    const link = sandbox.init(spec, { ...this.#pathsOf(spec), connected: this.#connectedTo(spec) });
    const { clock, log } = this.#options;
    const { compileCache, initTimeoutMs } = spec;
    const onCompileCache = (bytes: Buffer) => void (compileCache !== undefined && storeCompileCache(compileCache, bytes, log));
    const heard = await awaitReady({ link, initTimeoutMs, clock, listener, onCompileCache, exited: () => sandbox.templateEnded });
    // After init the link says nothing more: the template's end is seen by its keeper.
    link.listener = { onFrame() {}, onClosed() {} };
    if (heard.kind === 'ready') {
      const { before, times } = heard.payload;
      const [forked, walled, blank, read] = before;
      steps.addTold(FUNCTION_STEPS, [read, ...times], givenMs);
      steps.addTold(SANDBOX_STEPS, [forked, walled, blank], sandbox.takenMs, true);
      steps.add('ready heard');
    }
    if (heard.kind === 'exited' && heard.exit.kind === 'ended' && !this.#closed) {
      throw new HearthError(
        'SandboxFailed',
        `the sandbox of ${spec.label} could not be built. It said: ${sandbox.lastWords.trim() || '(nothing)'}`,
      );
    }
    return heard;
  }

  #connectedTo(spec: SandboxSpec): Connected {
    return (connection, endpoint) => this.#options.connected(connection, spec, endpoint);
  }

  #pathsOf({ codeDirectory, layerDirectories }: SandboxSpec): { readonly code: string; readonly layers: readonly string[] } {
    return { code: this.#below(codeDirectory), layers: layerDirectories.map((directory) => this.#below(directory)) };
  }

  #below(directory: string): string {
    const path = relative(this.#options.packages, directory);
    if (path === '' || path.startsWith('..')) throw new HearthError('SandboxFailed', `${directory} is not below the directory of packages`);
    return path;
  }

  #takeBlank(spec: SandboxSpec, steps: Steps): Sandbox {
    if (this.#closed) throw new HearthError('ShuttingDown', 'the sandboxes are closed');
    const nowMs = this.#options.clock.monotonicMs();
    const sandbox = this.#blankFor(spec);
    sandbox.takenMs = steps.add(sandbox.orderedMs < nowMs ? 'sandbox taken' : 'sandbox ordered');
    return sandbox;
  }

  #blankFor({ memoryMiB, network }: SandboxSpec): Sandbox {
    // Few functions are trusted with it: none is made ahead.
    if (network?.kind === 'host') return this.#newSandbox(this.#classes.zygoteFor(memoryMiB), { onHostNetwork: true });
    return this.#classes.take(memoryMiB);
  }

  #newSandbox(zygote: Zygote, more: { readonly onHostNetwork?: boolean } = {}): Sandbox {
    const { directory, packages, instances, clock } = this.#options;
    const uid = this.#users.take();
    const sandbox = new Sandbox({
      zygote,
      root: join(directory, 'root'),
      packages,
      uid,
      processes: instances + PROCESSES,
      clock,
      cgroups: this.#cgroups,
      watch: this.#watch,
      cpuWatch: this.#cpuWatch,
      ...more,
    });
    this.#sandboxes.add(sandbox);
    void sandbox.ended.then(() => {
      this.#sandboxes.delete(sandbox);
      this.#users.giveBack(uid);
    });
    return sandbox;
  }
}

const hangUp = (connection: Socket): void => void connection.destroy();

class LinuxTemplate implements Template {
  readonly initMs: number;
  readonly streaming: boolean;
  readonly forks: boolean;
  readonly blockers: ReadyPayload['blockers'];
  readonly steps: readonly Step[];
  readonly closed: Promise<Exit>;
  readonly #settleClosed: (exit: Exit) => void;
  readonly #sandboxes: LinuxSandboxes;
  readonly #spec: SandboxSpec;
  /** Undefined once it has become an instance itself. */
  #sandbox: Sandbox | undefined;
  #closing = false;

  constructor(sandboxes: LinuxSandboxes, sandbox: Sandbox, spec: SandboxSpec, ready: ReadyPayload, steps: readonly Step[]) {
    this.#sandboxes = sandboxes;
    this.#sandbox = sandbox;
    this.#spec = spec;
    this.initMs = ready.initMs;
    this.streaming = ready.streaming;
    this.blockers = ready.blockers;
    this.steps = steps;
    this.forks = isForked(spec, ready.blockers);
    const { promise, resolve } = Promise.withResolvers<Exit>();
    this.closed = promise;
    this.#settleClosed = resolve;
    // Who deploys a function calls it soon.
    if (this.forks) sandbox.forkAhead();
    sandbox.onEmpty = () => this.#closing && sandbox.end();
    void sandbox.templateEnded.then((exit) => {
      if (this.#sandbox !== sandbox) return;
      resolve(exit);
      // Without its template a sandbox has no use but for the instances it has.
      this.close();
    });
  }

  fork(): Instance {
    const sandbox = this.#sandbox;
    if (this.forks && sandbox) return sandbox.fork();
    this.#sandbox = undefined;
    return this.#sandboxes.bootAlone(this.#spec, sandbox);
  }

  close(): void {
    this.#closing = true;
    if (this.#sandbox?.instances === 0) this.#sandbox.end();
    else this.#sandbox?.retire();
    if (!this.#sandbox) this.#settleClosed({ kind: 'ended' });
  }
}
