/**
 * The keeper: pid 1 of a sandbox. It never runs user code. It shows the function's code, prepares a mount namespace with a private /tmp for the
 * next instance, passes commands to the template, and ends what it is told to end. When it dies the kernel ends the whole sandbox.
 */
import { readSync, writeSync } from 'node:fs';
import { SystemCallError, check, libc, pinned } from './libc.ts';
import { collectGarbage } from './garbage.ts';
import { hasInput } from './has-input.ts';
import { NEVER_BEGAN, RECORD, SERVES } from './orders.ts';
import type { AdmitMessage, FunctionMessage, KeeperMessage, TemplateMessage } from './orders.ts';
import { showImage } from './image-root.ts';
import { connect, listen } from './kept-network.ts';
import { KeptExtensions } from './kept-extensions.ts';
import { receiveMessage, receiveRecord, receiveCredentials, sendMessage, sendRecord } from './messages.ts';
import { becomeUser, enterUserNamespace, showFunction, undumpable } from './isolate.ts';
import type { User } from './isolate.ts';
import { spareMaker } from './spares.ts';
import type { Spare, SpareMaker } from './spares.ts';
import { endStrays, ownTmpDevice } from './strays.ts';
import { architecture, SYSCALLS } from './syscalls.ts';

export type KeeperOptions = {
  readonly control: number;
  /** The host's way to get sockets of this network: until the function is there, or for as long as it is reached; -1 without a network of its own. */
  doorway: number;
  /** The keeper's end of the connection to the template and, through it, its instances' hellos; -1 once that is closed. */
  template: number;
  /** Undefined: it is yet to come, from elsewhere. */
  templatePid: number | undefined;
  /** Those of this process, for who comes from elsewhere (`namespacesOf`). */
  readonly namespaces: number;
  /** A descriptor of the process that forked this one, tells the host so, and ends: the zygote is the parent then. */
  readonly parent: number;
  /** A descriptor of a /proc in which all processes of the sandbox are. */
  readonly everybody: number;
  readonly user: User;
};

const SIGKILL = 9;
const SIGCONT = 18;
const SIGSTOP = 19;
/** As a pid: all processes that there are but pid 1, which is the caller. */
const EVERYBODY = -1;
/** So many are not kept waiting for more. */
const ENDED_AT_ONCE = 64;
/**
 * After so many orders garbage is collected while nobody waits: V8 by itself lets it grow by megabytes first. What was alive at two
 * collections is garbage only to a full one, which copies all of the heap that was shared till then: that is for keepers that work much.
 */
const COLLECTED_AFTER = 64;
const FULL_COLLECTION_EVERY = 64;
const COLLECTED_AT_ONCE = 64;
const WNOHANG = 1;
const POLLIN = 1;
const POLLHUP = 16;

/** Runs until the host's end of the control socket is closed; never returns. */
export function keep(options: KeeperOptions): never {
  try {
    return loop(options);
  } catch (error) {
    // Node's own way to end waits for threads that a forked process doesn't have.
    writeSync(2, `the keeper failed: ${error instanceof Error ? error.message : String(error)}\n`);
    libc._exit(1);
    throw error;
  }
}

function loop(options: KeeperOptions): never {
  // That process tells the host of the birth, which is to be the first that the host hears from here.
  wait([options.parent]);
  libc.close(options.parent);
  receiveCredentials(options.template);
  if (options.templatePid === undefined) admit(options);
  const children = blockChildSignals();
  const state: State = {
    instances: new Map(),
    ids: new Map(),
    ending: [],
    orders: 0,
    collections: 0,
    // Who ended before this process blocked that signal has sent it to nobody.
    orphans: true,
    initialised: false,
    templateEnded: false,
    forked: false,
    initTmp: '',
    spares: undefined,
    spare: undefined,
    extensions: new KeptExtensions(options.control),
  };
  for (;;) {
    if (state.ending.length >= ENDED_AT_ONCE || (state.ending.length > 0 && !hasInput(options.control))) collect(options, state);
    // A spare is made while nobody waits: after a command has been passed on.
    if (state.initialised && !state.spare && !hasInput(options.control)) state.spare = state.spares!();
    if (state.orders >= COLLECTED_AFTER && !hasInput(options.control)) {
      collectGarbage(++state.collections % FULL_COLLECTION_EVERY === 0 ? 'major' : 'minor');
      state.orders = 0;
    }
    const ready = wait([options.control, options.template, children], state.orphans ? 0 : -1);
    if (ready[2]) readSync(children, signalled, 0, signalled.length, null);
    const collecting = ready[2] || state.orphans;
    if (collecting) state.orphans = collectOrphans(options, state);
    // Meanwhile it may have been heard already, to the end.
    if (ready[1] && (!collecting || hasInput(options.template))) hear(options, state);
    if (ready[0]) {
      const received = receiveMessage(options.control);
      if (!received) libc._exit(0);
      obey(options, state, received!.message as KeeperMessage, received!.fds);
      state.orders++;
    }
  }
}

/**
 * A template from elsewhere is given the way in, and awaited: before there is a function, so that neither this process's mounts nor its user
 * have changed. Until it is in, who may enter can look into this process, as the kernel has it; nobody is inside by then.
 */
function admit(options: KeeperOptions): void {
  const self = check(libc.syscall(BigInt(SYSCALLS.pidfd_open[architecture()]), BigInt(libc.getpid()), 0n, 0n), 'pidfd_open');
  const message: AdmitMessage = { namespaces: options.namespaces };
  sendMessage(options.template, message, [self]);
  libc.close(self);
  const record = receiveRecord(options.template);
  // It was not to be: whoever ordered it is gone, or it failed, and has said so.
  if (record?.kind !== RECORD.joined) libc._exit(1);
  options.templatePid = record!.pid;
  undumpable();
}

/**
 * `pid` is undefined until it has said hello; `doomed`: it is being ended, or will be as soon as it has; `status`: how it ended, where its
 * template was gone by then; `grouped`: it is in a control group, and the host ends what it has started.
 */
type Living = { pid: number | undefined; doomed: boolean; status: number | undefined; readonly tmp: string; readonly grouped: boolean };

type State = {
  readonly instances: Map<number, Living>;
  /** Their ids by pid: there may be thousands. */
  readonly ids: Map<number, number>;
  /** Instances that were killed, and whose processes are yet to be looked for. */
  readonly ending: number[];
  /** Since garbage was collected last. */
  orders: number;
  collections: number;
  /** There may be more that have ended. */
  orphans: boolean;
  initialised: boolean;
  templateEnded: boolean;
  forked: boolean;
  /** The device of the template's /tmp. */
  initTmp: string;
  spares: SpareMaker | undefined;
  spare: Spare | undefined;
  readonly extensions: KeptExtensions;
};

function obey(options: KeeperOptions, state: State, message: KeeperMessage, fds: readonly number[]): void {
  switch (message.do) {
    case 'init':
      // The template goes on as far as it can without the code.
      tell(options, message, fds);
      listen(options, message);
      state.extensions.expect(message.extensions.length);
      if (message.image) becomeImage(options, message);
      else showFunction({ ...message, ...options.user });
      becomeUser(options.user);
      enterUserNamespace(options.user);
      undumpable();
      // Not before: until then the function, which is the same user, could look into this process.
      tell(options, { do: 'shown' }, []);
      endWithZygote();
      state.initTmp = ownTmpDevice();
      state.spares = spareMaker(message, options.user);
      break;
    case 'fork':
    case 'serve': {
      // When all must go because of one, no other is to have begun.
      if (state.ending.length > 0) collect(options, state);
      const spare = state.spare ?? state.spares!();
      state.spare = undefined;
      if (message.do === 'fork') {
        // The host asks for forks where init has left no process behind.
        if (!state.forked) clearAway(options, state);
        state.forked = true;
        state.instances.set(message.id, { pid: undefined, doomed: false, status: undefined, tmp: spare.tmp, grouped: message.doors > 0 });
      }
      tell(options, message, [...fds, spare.user, spare.mounts]);
      libc.close(spare.mounts);
      break;
    }
    case 'start':
      state.extensions.early = false;
      tell(options, message, []);
      break;
    case 'signal':
      if (!state.templateEnded) libc.kill(options.templatePid!, message.signal);
      break;
    case 'connect':
      connect(options, message.id, message.port);
      break;
    case 'freeze':
      libc.kill(EVERYBODY, message.frozen ? SIGSTOP : SIGCONT);
      break;
    case 'end': {
      // One that has ended is collected, and told of, when its signal is heard. Its pid is nobody else's before that.
      if (message.id === SERVES && !state.templateEnded) libc.kill(options.templatePid!, SIGKILL);
      const living = state.instances.get(message.id);
      if (!living) break;
      living.doomed = true;
      // One that has not said hello yet is ended when it does.
      if (living.pid !== undefined) end(state, living.pid, living.status !== undefined);
      else if (options.template === -1) conclude(options, state, message.id, NEVER_BEGAN);
      break;
    }
  }
  for (const fd of fds) libc.close(fd);
}

/** A template that is gone needs no root: the host learns of it through its wait status. */
function becomeImage(options: KeeperOptions, message: FunctionMessage): void {
  const record = receiveRecord(options.template);
  if (record?.kind === RECORD.prepared && record.pid === options.templatePid) showImage({ ...message, ...options.user });
}

function tell(options: KeeperOptions, message: TemplateMessage, fds: readonly number[]): void {
  try {
    sendMessage(options.template, message, fds);
  } catch (error) {
    // The template is gone; the host learns of it through its wait status.
    if (!(error instanceof SystemCallError)) throw error;
  }
}

/** An instance leads its own process group. One that has ended by itself keeps its status. */
function end(state: State, pid: number, collected: boolean): void {
  // The pid of one that was collected may be somebody else's.
  if (!collected) {
    libc.kill(-pid, SIGKILL);
    libc.kill(pid, SIGKILL);
  }
  state.ending.push(pid);
}

/** What instances have started goes with them, in their process groups or out of them. One look at all processes for all that end together. */
function collect(options: KeeperOptions, state: State): void {
  if (state.ending.some((pid) => instanceOf(state, pid)?.[1].grouped === false)) clearAway(options, state);
  for (const pid of state.ending.splice(0)) {
    const [id, living] = instanceOf(state, pid) ?? [];
    if (living?.status === undefined) tell(options, { do: 'reap', pid }, []);
    else conclude(options, state, id!, living.status);
  }
}

function instanceOf({ instances, ids }: State, pid: number): [id: number, living: Living] | undefined {
  const id = ids.get(pid);
  const living = id === undefined ? undefined : instances.get(id);
  return living && [id!, living];
}

/** The host hears that an instance that was to end has ended. */
function conclude(options: KeeperOptions, state: State, id: number, status: number): void {
  const pid = state.instances.get(id)?.pid;
  if (pid !== undefined) state.ids.delete(pid);
  state.instances.delete(id);
  sendRecord(options.control, RECORD.instanceEnded, id, status);
}

/** Ends every process that is neither keeper, nor template, nor an instance that lives, nor started by one. */
function clearAway({ templatePid, everybody }: KeeperOptions, state: State): void {
  const instances = [...state.instances.values()];
  const spared = new Set([1, templatePid!, ...instances.flatMap(({ pid }) => pid ?? [])]);
  const living = new Set(instances.filter(({ doomed }) => !doomed).map(({ tmp }) => tmp));
  // One that has just been forked is in its own place when it has said hello.
  if (instances.some(({ pid }) => pid === undefined)) living.add(state.initTmp);
  if (!endStrays({ proc: `/proc/self/fd/${everybody}`, spared, living }))
    throw new Error('the function left more processes behind than can be ended one by one');
}

/** Records from the template's socket: the kernel says who sent each. */
function hear(options: KeeperOptions, state: State): void {
  const { instances } = state;
  const record = receiveRecord(options.template);
  if (!record) {
    libc.close(options.template);
    options.template = -1;
    // Nobody is left who could say hello.
    for (const [id, { pid, doomed }] of instances) if (pid === undefined && doomed) conclude(options, state, id, NEVER_BEGAN);
    return;
  }
  if (record.kind === RECORD.hello && record.pid !== options.templatePid) {
    const living = instances.get(record.a);
    // Someone takes the place of an instance, so that it could not be ended.
    if (living?.pid !== undefined || !living) throw new Error('an instance said hello that was not expected');
    living.pid = record.pid;
    state.ids.set(record.pid, record.a);
    if (living.doomed) end(state, record.pid, false);
  } else if (record.kind === RECORD.initialised && record.pid === options.templatePid) {
    state.initialised = true;
  } else if (record.kind === RECORD.notForked && record.pid === options.templatePid) {
    if (instances.get(record.a)?.pid === undefined) conclude(options, state, record.a, NEVER_BEGAN);
  } else if (record.kind === RECORD.reaped && record.pid === options.templatePid) {
    const [id, living] = instanceOf(state, record.a) ?? [];
    if (living?.doomed) conclude(options, state, id!, record.b);
  } else state.extensions.hear(record);
}

const signalled = pinned(128).buffer;
const status = pinned(4);

/**
 * Pid 1 is the parent of all that lost theirs: of instances too, when their template is gone. Whether there may be more: a fork bomb
 * leaves them faster than they are collected, and orders must not wait for it to end.
 */
function collectOrphans(options: KeeperOptions, state: State): boolean {
  for (let collected = 0; collected < COLLECTED_AT_ONCE; collected++) {
    const pid = libc.waitpid(-1, status.address, WNOHANG);
    if (pid <= 0) return false;
    if (pid === options.templatePid && !state.templateEnded) {
      state.templateEnded = true;
      sendRecord(options.control, RECORD.templateEnded, status.buffer.readInt32LE(0));
    }
    const ended = status.buffer.readInt32LE(0);
    // It may have said who it was, and nobody has heard that yet.
    while ((state.extensions.early || state.templateEnded) && hasInput(options.template)) hear(options, state);
    state.extensions.collected(pid, ended);
    const [id, living] = instanceOf(state, pid) ?? [];
    if (!living) continue;
    living.status = ended;
    if (living.doomed && !state.ending.includes(pid)) conclude(options, state, id!, living.status);
  }
  return true;
}

/** Whatever the function has brought this process to wait for: when the zygote goes, and it goes with the host, so does the sandbox. */
function endWithZygote(): void {
  const PR_SET_PDEATHSIG = 1;
  check(libc.prctl(PR_SET_PDEATHSIG, BigInt(SIGKILL), 0n, 0n, 0n), 'prctl PR_SET_PDEATHSIG');
}

/** Child deaths become readable on a descriptor (signalfd(2)) instead of interrupting. */
function blockChildSignals(): number {
  const SIGCHLD = 17;
  const SIG_BLOCK = 0;
  const mask = Buffer.alloc(128);
  mask.writeBigUInt64LE(1n << BigInt(SIGCHLD - 1), 0);
  check(libc.sigprocmask(SIG_BLOCK, mask, null), 'sigprocmask');
  return check(libc.signalfd(-1, mask, 0o2000000), 'signalfd');
}

const polled = pinned(64);

/** Waits until one of the descriptors has input or its end; the kernel passes over -1. */
function wait(fds: readonly number[], timeoutMs = -1): boolean[] {
  fds.forEach((fd, i) => {
    polled.buffer.writeInt32LE(fd, i * 8);
    polled.buffer.writeInt32LE(POLLIN, i * 8 + 4);
  });
  libc.poll(polled.address, BigInt(fds.length), timeoutMs);
  return fds.map((_, i) => (polled.buffer.readInt16LE(i * 8 + 6) & (POLLIN | POLLHUP)) !== 0);
}
