import type { Clock, Timer } from '../../kernel/mod.ts';
import type { Exit, SandboxSpec, Step, TemplateMemory } from '../../ports/mod.ts';
import { INSIDE_PORT } from '../../protocol/mod.ts';
import type { LogLevel } from '../../protocol/mod.ts';
import { RECORD, SERVES } from '../../../runtimes/ladder/orders.ts';
import type { Furniture, FunctionMessage, KeeperMessage } from '../../../runtimes/ladder/orders.ts';
import { libc } from '../../../runtimes/ladder/libc.ts';
import { pipe, socketPair } from '../../../runtimes/ladder/messages.ts';
import type { Record } from '../../../runtimes/ladder/messages.ts';
import { Spare } from '../execution/mod.ts';
import { EventPipe, LinkedInstance, linkFd } from '../link/mod.ts';
import type { Link } from '../link/mod.ts';
import { openCompileCache } from './compile-caches.ts';
import { Control } from './control.ts';
import { Doorway, RUNTIME_API, listenersOf, portsOf } from './doorway.ts';
import { boundsOf } from './bounds.ts';
import type { Bounds } from './bounds.ts';
import { openEnds, openGuestEnds } from './ends.ts';
import type { GuestEnds } from './ends.ts';
import { exitOf, killProcess } from './exits.ts';
import { Inside } from './inside.ts';
import type { InitOptions, Served } from './init-options.ts';
import type { Cgroups } from './cgroups.ts';
import type { CpuWatch } from './cpu-watch.ts';
import type { MemoryWatch } from './memory-watch.ts';
import { childrenOf, peakOf } from './peak-memory.ts';
import { Output } from './output.ts';
import { loaderOf } from './runtime.ts';
import type { Runtime } from './runtime.ts';
import { SandboxGroups } from './sandbox-groups.ts';
import { Uncounted } from './uncounted.ts';
import type { Zygote } from './zygote.ts';

export type SandboxOptions = {
  readonly zygote: Zygote;
  /** Whose template it gets, if not that zygote's own. */
  readonly guest?: Zygote;
  /** What a runtime needs that is started in it as a program. */
  readonly wrapped?: Furniture;
  readonly root: string;
  readonly packages: string;
  readonly uid: number;
  /** Processes and threads that there may be in it. */
  readonly processes: number;
  readonly clock: Clock;
  /** It shares the host's network. */
  readonly onHostNetwork?: boolean;
  readonly cgroups: Cgroups;
  readonly watch: MemoryWatch;
  readonly cpuWatch: CpuWatch;
};

const MiB = 1024 * 1024;
/** In place of the number of an invocation. */
const INIT = 0;
/** Where there are so many, short invocations are shared among enough of them: the others get theirs by the socket, which saves a descriptor each. */
const WITH_PIPES = 256;
/** When an instance that was to be ended is not gone after so long, the sandbox goes as a whole. */
export const END_LIMIT_MS = 10_000;
/** One that was killed waits for its turn to go, where thousands are at work: so much longer for each of the others. */
const END_EACH_MS = 10;

/** One sandbox on the host's side: a keeper, its template, and the instances forked from it. Begins blank. */
export class Sandbox {
  /** The template has ended; or the whole sandbox, before that was known. */
  readonly templateEnded: Promise<Exit>;
  /** The keeper is gone, and the kernel has ended everything in the sandbox. */
  readonly ended: Promise<void>;
  /** Raw output of the function's processes, beside what its console sends by frames. */
  onOutput: (text: string, level: LogLevel) => void = () => {};
  /** The same as it comes; by default it goes on as text. */
  onChunk: (chunk: Buffer) => void = (chunk) => {
    const text = chunk.toString();
    this.onOutput(text.endsWith('\n') ? text.slice(0, -1) : text, 'INFO');
  };
  /** Called with the steps of an instance that was forked ahead for nobody. */
  onUnused: (steps: readonly Step[]) => void = () => {};
  /** Called when the last instance has gone. */
  onEmpty: () => void = () => {};
  readonly inside: Inside;
  /** Monotonic time at which it was ordered. */
  readonly orderedMs: number;
  /** And at which it was given away. */
  takenMs = 0;
  readonly #runtime: Runtime;
  readonly #control: Control;
  readonly #doorway: Doorway | undefined;
  readonly #output: Output;
  readonly #clock: Clock;
  readonly #watch: MemoryWatch;
  /** The spare one too. */
  readonly #instances = new Map<number, LinkedInstance>();
  readonly #spare: Spare<LinkedInstance>;
  /** By instance whose keeper has no time for it yet: what it is to be given. Kept here, so that the order to end another one does not wait behind it. */
  readonly #forks = new Map<number, readonly number[]>();
  readonly #groups: SandboxGroups;
  /** Of its template and its instances. */
  readonly memory = (): TemplateMemory => this.#groups.memory;
  readonly #bounds: Bounds;
  /** By instance that is to end: when the sandbox ends instead. */
  readonly #limits = new Map<number, Timer>();
  readonly #settleTemplate: (exit: Exit) => void;
  #keeperPid: number | undefined;
  #nextId = 1;
  #spareId = 0;
  /** Whether its instances run one invocation at a time. */
  #sequential = true;
  #served: Served | undefined;
  #uncounted: Uncounted | undefined;

  constructor(options: SandboxOptions) {
    const { clock, cgroups, watch, cpuWatch } = options;
    this.#runtime = (options.guest ?? options.zygote).runtime;
    this.#clock = clock;
    this.#watch = watch;
    this.#groups = new SandboxGroups({ clock, cgroups, watch, cpuWatch, invocation: (id) => this.#invocation(id) });
    this.#bounds = boundsOf({ ...options, runtime: this.#runtime }, this.#groups.present);
    this.orderedMs = clock.monotonicMs();
    this.#spare = new Spare({
      clock,
      make: () => {
        this.#spareId = this.#nextId;
        return this.#newInstance();
      },
      unused: (instance) => this.onUnused(instance.takeSteps()),
    });
    const template = Promise.withResolvers<Exit>();
    const ended = Promise.withResolvers<void>();
    this.templateEnded = template.promise;
    this.ended = ended.promise;
    this.#settleTemplate = template.resolve;
    const [reading, writing] = pipe();
    this.#output = new Output(reading, clock, (chunk) => this.onChunk(chunk));
    let guestEnds: GuestEnds | undefined;
    try {
      this.#doorway = options.onHostNetwork ? undefined : new Doorway();
      guestEnds = options.guest && openGuestEnds(writing);
      this.#control = new Control({
        onRecord: (record) => this.#hear(record),
        onClosed: () => {
          this.#gone();
          ended.resolve();
        },
        onRoom: () => this.#orderForks(),
      });
    } catch (error) {
      // There are no more descriptors: those that are there already are given back.
      this.#output.close();
      this.#doorway?.abandon();
      this.#groups.close();
      for (const fd of [writing, ...Object.values(guestEnds ?? {})]) libc.close(fd);
      throw error;
    }
    this.inside = new Inside({ clock, doorway: this.#doorway, send: (message) => this.#send(message) });
    this.#order(options, writing, guestEnds);
  }

  #order({ zygote, guest, wrapped, root, packages, uid }: SandboxOptions, output: number, guestEnds: GuestEnds | undefined): void {
    const network = this.#doorway ? { insidePort: INSIDE_PORT } : 'host';
    const ends = [this.#control.far, output, ...(this.#doorway ? [this.#doorway.far] : [])];
    if (guest === undefined || guestEnds === undefined)
      return zygote.order({ root, packages, uid, network, ...(wrapped && { wrapped }) }, ...ends);
    guest.orderTemplate({ uid }, guestEnds.template, guestEnds.output);
    zygote.order({ root, packages, uid, network, guest: guest.runtime.guest! }, ...ends, guestEnds.keeper);
  }

  #gone(): void {
    this.inside.close();
    this.#doorway?.close();
    this.#output.close();
    this.#spare.stop();
    this.#groups.close();
    this.#uncounted?.stop();
    for (const limit of this.#limits.values()) limit.cancel();
    this.#limits.clear();
    for (const fds of this.#forks.values()) for (const fd of fds) libc.close(fd);
    this.#forks.clear();
    this.#settleTemplate({ kind: 'ended' });
    this.#served?.reportExit({ kind: 'ended' });
    for (const instance of this.#instances.values()) instance.reportExit({ kind: 'ended' });
  }

  get closed(): boolean {
    return this.#control.closed;
  }

  /** Without the spare one, which nobody has asked for. */
  get instances(): number {
    return this.#instances.size - (this.#spare.made ? 1 : 0);
  }

  /** What it wrote last, outside of frames. */
  get lastWords(): string {
    return this.#output.lastWords;
  }

  /** Gives the function to a blank sandbox; the link carries the init handshake. */
  init(spec: SandboxSpec, { code, layers, connected, api, serves, command, beside }: InitOptions): Link {
    const compileCache = command ? undefined : spec.compileCache;
    const { handler, environment, memoryMiB, tmpMiB, concurrency, network = { kind: 'none' } } = spec;
    this.#sequential = concurrency === 1;
    this.#served = serves;
    if (serves && !this.#groups.present) {
      this.#uncounted = new Uncounted({
        watch: this.#watch,
        limitBytes: memoryMiB * MiB,
        busy: () => serves.oldest !== undefined,
        keeperPid: () => this.#keeperPid,
      });
    }
    const reached = api !== undefined && this.#doorway !== undefined;
    this.#doorway?.open(portsOf(network, connected, api), reached);
    const listeners = [...(reached ? [RUNTIME_API] : []), ...listenersOf(network)];
    const message: FunctionMessage = {
      loader: command ? 'program' : loaderOf(spec.runtime),
      ...(command && { command }),
      code,
      ...(spec.image && { image: spec.image }),
      layers,
      handler,
      environment,
      memoryMiB,
      tmpMiB,
      concurrency,
      ...this.#bounds,
      listeners,
      extensions: beside?.names ?? [],
      reached,
      compileCache: compileCache !== undefined,
    };
    const [near, far] = socketPair();
    const doors = this.#groups.begin(spec);
    const stored = compileCache === undefined ? undefined : openCompileCache(compileCache);
    const output = this.inside.begin(beside);
    this.#send({ do: 'init', doors: doors.length, ...message }, far, ...output, ...doors, ...(stored === undefined ? [] : [stored]));
    return linkFd(near);
  }

  /** Makes the first instance before anybody asks for one. */
  forkAhead(): void {
    this.#spare.ahead();
  }

  /** A new instance; its process need not be there yet. */
  fork(): LinkedInstance {
    // While the keeper ends one that is in no group it may find that all must go. A fork waits for that; one made ahead would be used, and lost.
    const next = this.#nextId;
    const instance = this.#limits.size > 0 && !this.#groups.present ? this.#newInstance() : this.#spare.take();
    if (this.#nextId === next) {
      instance.steps.add('spare taken');
      this.#groups.given(this.#spareId);
    }
    return instance;
  }

  #newInstance(): LinkedInstance {
    const { near, far, reading, writing } = openEnds(this.#sequential && this.#instances.size < WITH_PIPES);
    const id = this.#nextId++;
    const end = () => this.#endInstance(id);
    const link = linkFd(near, writing === undefined ? undefined : new EventPipe(writing));
    const instance = new LinkedInstance({ link, start: 'fork', clock: this.#clock, reportsExit: true, end });
    instance.onLog = this.onOutput;
    instance.steps.add('fork ordered');
    this.#instances.set(id, instance);
    this.#forks.set(id, reading === undefined ? [far] : [far, reading]);
    this.#orderForks();
    return instance;
  }

  #orderForks(): void {
    for (const [id, fds] of this.#forks) {
      if (this.#control.full) return;
      this.#forks.delete(id);
      const doors = this.#groups.take(id);
      this.#send({ do: 'fork', id, doors: doors.length }, ...fds, ...doors);
    }
  }

  /** Hands on what was written until now. */
  flushOutput(): void {
    this.#output.flush();
  }

  /** The most memory that its processes have used so far, KiB; 0 where that can't be seen. */
  memoryKiB(): number {
    return this.#keeperPid === undefined ? 0 : peakOf(this.#groups.processes ?? childrenOf(this.#keeperPid));
  }

  /** The template itself becomes an instance, at the other end of `far`. `evented`: something in it is at work between invocations. */
  serve(instance: LinkedInstance, far: number, evented = false): void {
    this.#served = instance;
    instance.steps.add('template taken');
    this.#send({ do: 'serve', id: SERVES, evented }, far);
  }

  /** Ends the template that serves, and the sandbox as soon as it is known how that has ended: perhaps by itself, a moment ago. */
  endTemplate(): void {
    void this.templateEnded.then(() => this.end());
    this.killTemplate();
  }

  /** Ends the template that serves: how it has ended is told. */
  killTemplate(): void {
    if (this.#control.closed) return;
    this.#send({ do: 'end', id: SERVES });
    this.#endWithin(END_LIMIT_MS, SERVES);
  }

  /** No further instance will be asked for. */
  retire(): void {
    this.#spare.stop();
  }

  /** Ends every process of the sandbox. */
  end(): void {
    if (this.#control.closed) return;
    if (this.#keeperPid !== undefined) killProcess(this.#keeperPid);
    this.#control.close();
  }

  #endInstance(id: number): void {
    const instance = this.#instances.get(id);
    // It has ended with its sandbox, or was made too late.
    if (!instance || this.#control.closed) return queueMicrotask(() => instance?.reportExit({ kind: 'ended' }));
    const fds = this.#forks.get(id);
    if (fds) {
      this.#forks.delete(id);
      for (const fd of fds) libc.close(fd);
      // Not from within the call.
      return queueMicrotask(() => this.#instanceEnded(id, { kind: 'ended' }));
    }
    this.#groups.ending(id);
    this.#send({ do: 'end', id });
    this.#endWithin(END_LIMIT_MS + (this.#instances.size - 1) * END_EACH_MS, id);
  }

  #endWithin(limitMs: number, id: number): void {
    const limit = this.#clock.after(limitMs, () => this.end());
    this.#limits.set(id, limit);
  }

  #send(message: KeeperMessage, ...fds: readonly number[]): void {
    this.#control.send(message, fds);
  }

  #hear(record: Record): void {
    switch (record.kind) {
      case RECORD.born:
        this.#keeperPid = record.a;
        this.#doorway?.born();
        return;
      case RECORD.listening:
        return this.#doorway?.listening();
      case RECORD.connected:
      case RECORD.extensionEnded:
        return this.inside.hear(record);
      case RECORD.instanceEnded:
        this.#instanceEnded(record.a, this.#exit(record.b, record.a));
        return;
      case RECORD.templateEnded: {
        this.#spare.stop();
        const exit = this.#explain(this.#exit(record.a, 'template'));
        this.#served?.reportExit(exit);
        this.#settleTemplate(exit);
        return;
      }
    }
  }

  #instanceEnded(id: number, exit: Exit): void {
    const instance = this.#instances.get(id);
    this.#instances.delete(id);
    this.#limits.get(id)?.cancel();
    this.#limits.delete(id);
    this.#spare.lost(instance);
    this.#groups.ended(id);
    instance?.reportExit(this.#explain(exit));
    if (this.instances === 0) this.onEmpty();
  }

  /** The kernel kills for want of memory without saying so to anybody but the group. */
  #exit(status: number, id: number | 'template'): Exit {
    const exit = exitOf(status);
    const outOfMemory = this.#uncounted?.exceeded ?? this.#groups.outOfMemory(id);
    return exit.kind === 'signalled' && exit.signal === 'SIGKILL' && outOfMemory ? { kind: 'outOfMemory' } : exit;
  }

  #invocation(id: number | 'template'): number | undefined {
    if (id !== 'template') return this.#instances.get(id)?.oldest;
    // It serves by itself, or its init runs.
    return this.#served ? this.#served.oldest : this.#nextId === 1 ? INIT : undefined;
  }

  /** A runtime writes why it aborts before it does: that has arrived by now, and may not have been read. */
  #explain(exit: Exit): Exit {
    if (exit.kind !== 'signalled' || exit.signal === 'SIGKILL') return exit;
    this.#output.flush();
    return this.#runtime.saysOutOfMemory(this.#output.lastWords) ? { kind: 'outOfMemory' } : exit;
  }
}
