import { mkdir } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { join, relative } from 'node:path';
import { HearthError, LIMITS, silentLog, systemClock, systemRandom } from '../../kernel/mod.ts';
import type { Clock, Log } from '../../kernel/mod.ts';
import { isForked } from '../../ports/mod.ts';
import type {
  BootListener,
  BootResult,
  Exit,
  InitFailure,
  Instance,
  Sandboxes,
  SandboxSpec,
  Step,
  Template,
  TemplateMemory,
} from '../../ports/mod.ts';
import type { Endpoint, LogLevel, ReadyPayload } from '../../protocol/mod.ts';
import { node } from '../../../runtimes/node/description.ts';
import { afterReady, awaitReady, materialiseRuntime, FUNCTION_STEPS, SANDBOX_STEPS, Steps } from '../link/mod.ts';
import type { Link, Ready } from '../link/mod.ts';
import { WIND_DOWN_MS, externalExtensions, wrapperOf } from '../execution/mod.ts';
import type { Extension, WindDownMs } from '../execution/mod.ts';
import type { Ahead } from './ahead.ts';
import { bootAlone, hearExtended } from './alone.ts';
import type { Hierarchy } from './cgroup-tree.ts';
import { Cgroups, ownHierarchies } from './cgroups.ts';
import { storeCompileCache } from './compile-caches.ts';
import { Environments } from './environments.ts';
import type { Opened } from './environments.ts';
import { Guests } from './guests.ts';
import type { InitOptions } from './init-options.ts';
import { MemoryClasses } from './memory-classes.ts';
import { CpuWatch } from './cpu-watch.ts';
import type { Connected } from './doorway.ts';
import { MemoryWatch } from './memory-watch.ts';
import { Programs } from './programs.ts';
import { loaderOf } from './runtime.ts';
import type { Runtime } from './runtime.ts';
import { Sandbox } from './sandbox.ts';
import type { SandboxOptions } from './sandbox.ts';
import { Users } from './users.ts';
import { Wrapped } from './wrapped.ts';
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
  /** How long environments with extensions may take to come to their end. Default: as on Lambda. */
  readonly windDown?: WindDownMs | undefined;
};

/** What a sandbox may have of them, beside one for each instance. */
const PROCESSES = 2_096;

type Settled = Required<Pick<LinuxOptions, 'directory' | 'packages' | 'instances' | 'clock' | 'log' | 'connected'>> &
  Pick<LinuxOptions, 'windDown'>;

type Installed = { readonly runtime: Runtime; readonly files: string };

/** What a host takes hold of on its machine. */
type Claims = { readonly users: Users; readonly cgroups: Cgroups };

/** The fork ladder: zygote -> sandbox -> template -> instance. Linux with user namespaces; as root or as an ordinary user. */
export class LinuxSandboxes implements Sandboxes {
  readonly driver = 'linux';
  readonly isolated = true;
  readonly #options: Settled;
  readonly #classes: MemoryClasses<Sandbox>;
  readonly #guests: Guests<Sandbox>;
  readonly #sandboxes = new Set<Sandbox>();
  readonly #users: Users;
  readonly #cgroups: Cgroups;
  readonly #watch: MemoryWatch;
  readonly #cpuWatch: CpuWatch;
  readonly #programs: Programs;
  readonly #wrapped: Wrapped;
  readonly #environments: Environments;
  #closed = false;

  /** Throws HearthError `SandboxFailed` when the zygote does not start. `selfTest` tells whether the machine can do all the rest. */
  static async open(options: LinuxOptions): Promise<LinuxSandboxes> {
    const { ahead, directory, packages, clock = systemClock, log = silentLog, connected = hangUp } = options;
    const { runtime = node, instances = 2 * LIMITS.concurrentInvocations, windDown } = options;
    await mkdir(join(directory, 'root'), { recursive: true });
    const files = ahead?.zygote.files ?? (await materialiseRuntime({ runtime, directory: join(directory, 'runtimes') }));
    const claims = { users: await Users.claim(), cgroups: Cgroups.open({ log, hierarchies: options.hierarchies ?? ownHierarchies() }) };
    const sandboxes = new LinuxSandboxes({ directory, packages, instances, clock, log, connected, windDown }, { runtime, files }, claims);
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
    const { clock, log, windDown = WIND_DOWN_MS } = options;
    this.#options = options;
    this.#classes = new MemoryClasses({ ...installed, clock, log, make: (zygote) => this.#newSandbox(zygote) });
    const make = (guest: Zygote) => this.#newSandbox(this.#builder(), { guest });
    this.#guests = new Guests({ directory: options.directory, clock, log, make });
    this.#users = users;
    this.#cgroups = cgroups;
    this.#watch = new MemoryWatch(clock);
    this.#cpuWatch = new CpuWatch({ clock, yieldAll: (yields) => cgroups.yield(yields) });
    this.#environments = new Environments({ clock, random: systemRandom, windDown });
    this.#programs = new Programs({
      clock,
      log,
      environments: this.#environments,
      take: (spec, steps) => this.#takeBlank(spec, steps),
      init: (sandbox, spec, more) => this.#give(sandbox, spec, more),
    });
    this.#wrapped = new Wrapped({
      clock,
      environments: this.#environments,
      directory: options.directory,
      files: installed.files,
      make: (spec, steps, wrapped) => {
        this.#refuseClosed();
        steps.add('sandbox ordered');
        return this.#newSandbox(this.#builder(), { onHostNetwork: spec.network?.kind === 'host', wrapped });
      },
      init: (sandbox, spec, more) => this.#give(sandbox, spec, more),
    });
  }

  async boot(spec: SandboxSpec, listener: BootListener): Promise<BootResult> {
    if (loaderOf(spec.runtime) === 'program') return await this.#programs.boot(spec, listener);
    if (wrapperOf(spec) !== undefined) return await this.#wrapped.boot(spec, listener);
    const steps = new Steps(this.#options.clock);
    const external = await externalExtensions(spec);
    const opened = this.openEnvironment(spec, external);
    const sandbox = this.#takeBlank(spec, steps, await this.#guests.of(spec.runtime));
    const log = opened ? (text: string, level: LogLevel) => opened.environment.functionLine(text, level) : listener.log.bind(listener);
    if (opened) opened.environment.onLog = (text, level) => listener.log(text, level);
    sandbox.onOutput = log;
    sandbox.onUnused = (unused) => listener.unused?.(unused);
    const heard = await this.#init(sandbox, { spec, opened, listener: { log }, steps });
    if (heard.kind === 'ready') {
      const again = () => this.openEnvironment(spec, external);
      return { ok: true, template: new LinuxTemplate(this, { sandbox, opened, again }, spec, heard.payload, steps.take()) };
    }
    end({ sandbox, opened });
    return { ok: false, failure: heard };
  }

  /** An instance in a sandbox of its own, whose template it is: for functions whose init cannot be shared. `booted`: one whose init has run. */
  bootAlone(spec: SandboxSpec, opened: Opened | undefined, booted?: Sandbox): Instance {
    return bootAlone({
      clock: this.#options.clock,
      opened,
      booted,
      take: async (steps) => this.#takeBlank(spec, steps, await this.#guests.of(spec.runtime)),
      init: (sandbox, steps, log) => this.#init(sandbox, { spec, opened, listener: { log }, steps }),
      failed: (error) => this.#options.log.error({ error, label: spec.label }, 'an instance could not be booted'),
    });
  }

  /** What else than its sandboxes there is to an instance of a function with layers: they may have extensions. */
  openEnvironment(spec: SandboxSpec, external: readonly string[]): Opened | undefined {
    return spec.layerDirectories.length === 0 ? undefined : this.#environments.open(spec, external);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#classes.rest();
    await this.#environments.close();
    this.#guests.rest();
    const ended = [...this.#sandboxes].map((sandbox) => sandbox.ended);
    for (const sandbox of this.#sandboxes) sandbox.end();
    await Promise.all(ended);
    await Promise.all([this.#classes.close(), this.#guests.close(), this.#wrapped.close()]);
    await this.#cgroups.close();
    this.#users.close();
  }

  async #init(sandbox: Sandbox, { spec, opened, listener, steps }: InitRun): Promise<Ready | InitFailure> {
    opened?.attach(sandbox);
    const given = opened ? await opened.placed : spec;
    const givenMs = steps.add('function given');
    const more = opened && { api: opened.api, beside: opened.beside };
    const link = this.#give(sandbox, given, more);
    const { clock, log } = this.#options;
    const { compileCache, initTimeoutMs } = spec;
    const onCompileCache = (bytes: Buffer) => void (compileCache !== undefined && storeCompileCache(compileCache, bytes, log));
    const exited = () => sandbox.templateEnded;
    const ready = awaitReady({ link, initTimeoutMs, clock, listener, onCompileCache, exited });
    const heard = await (opened ? hearExtended(opened.environment, { clock, initTimeoutMs, ready, exited }) : ready);
    // Its end says nothing: that of the template is seen by its keeper.
    link.listener = afterReady(listener);
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

  #give(sandbox: Sandbox, spec: SandboxSpec, more?: Omit<InitOptions, 'code' | 'layers' | 'connected'>): Link {
    return sandbox.init(spec, { ...this.#pathsOf(spec), connected: this.#connectedTo(spec), ...more });
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

  #takeBlank(spec: SandboxSpec, steps: Steps, guests?: MemoryClasses<Sandbox>): Sandbox {
    this.#refuseClosed();
    const nowMs = this.#options.clock.monotonicMs();
    const sandbox = this.#blankFor(spec, guests);
    sandbox.takenMs = steps.add(sandbox.orderedMs < nowMs ? 'sandbox taken' : 'sandbox ordered');
    return sandbox;
  }

  #refuseClosed(): void {
    if (this.#closed) throw new HearthError('ShuttingDown', 'the sandboxes are closed');
  }

  #blankFor({ memoryMiB, network }: SandboxSpec, guests: MemoryClasses<Sandbox> | undefined): Sandbox {
    if (network?.kind !== 'host') return (guests ?? this.#classes).take(memoryMiB);
    // Few functions are trusted with it: none is made ahead.
    const onHostNetwork = true;
    if (guests) return this.#newSandbox(this.#builder(), { onHostNetwork, guest: guests.zygoteFor(memoryMiB) });
    return this.#newSandbox(this.#classes.zygoteFor(memoryMiB), { onHostNetwork });
  }

  /** Whoever makes sandboxes for others' templates: a keeper has no need of memory. */
  #builder(): Zygote {
    return this.#classes.zygoteFor(0);
  }

  #newSandbox(zygote: Zygote, more: Pick<SandboxOptions, 'onHostNetwork' | 'guest' | 'wrapped'> = {}): Sandbox {
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

type InitRun = {
  readonly spec: SandboxSpec;
  readonly opened: Opened | undefined;
  readonly listener: BootListener;
  readonly steps: Steps;
};

const hangUp = (connection: Socket): void => void connection.destroy();

/** A sandbox whose init has run, what is around it, and how that is made once more. */
type Made = { readonly sandbox: Sandbox; readonly opened: Opened | undefined; readonly again: () => Opened | undefined };

function end({ sandbox, opened }: Pick<Made, 'sandbox' | 'opened'>): void {
  if (opened) opened.end(true);
  else sandbox.end();
}

/** Extensions among what init leaves open. A process that no place in the code is known for is theirs: init has seen it begin from outside. */
function blockersWith(extensions: readonly Extension[], blockers: Template['blockers']): Template['blockers'] {
  const external = extensions.some(({ kind }) => kind === 'external');
  const own = blockers.filter(({ kind, place }) => !external || kind !== 'child process' || place !== undefined);
  return [...own, ...extensions.map(({ kind, name }) => ({ kind: `${kind} extension`, detail: name }))];
}

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
  readonly #opened: Opened | undefined;
  readonly #again: Made['again'];
  #closing = false;

  constructor(sandboxes: LinuxSandboxes, { sandbox, opened, again }: Made, spec: SandboxSpec, ready: ReadyPayload, steps: readonly Step[]) {
    this.#sandboxes = sandboxes;
    this.#sandbox = sandbox;
    this.#spec = spec;
    this.streaming = ready.streaming;
    this.#opened = opened;
    this.#again = again;
    const extensions = opened?.environment.extensions ?? [];
    // Theirs is a part of it.
    this.initMs = (extensions.length > 0 ? opened?.environment.initMs : undefined) ?? ready.initMs;
    this.blockers = blockersWith(extensions, ready.blockers);
    this.steps = steps;
    // An extension is told of each invocation of the one environment that it is in.
    this.forks = extensions.length === 0 && isForked(spec, ready.blockers);
    const { promise, resolve } = Promise.withResolvers<Exit>();
    this.closed = promise;
    this.#settleClosed = resolve;
    if (this.forks) opened?.environment.close();
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
    return this.#sandboxes.bootAlone(this.#spec, sandbox ? this.#opened : this.#again(), sandbox);
  }

  memory(): TemplateMemory {
    return this.#sandbox?.memory() ?? {};
  }

  close(): void {
    this.#closing = true;
    if (this.#sandbox?.instances === 0) end({ sandbox: this.#sandbox, opened: this.#opened });
    else this.#sandbox?.retire();
    if (!this.#sandbox) this.#settleClosed({ kind: 'ended' });
  }
}
