/**
 * The keeper: pid 1 of a sandbox. It never runs user code. It shows the function's code, prepares a mount namespace with a private /tmp for the
 * next instance, passes commands to the template, and ends what it is told to end. When it dies the kernel ends the whole sandbox.
 */
import { cpSync, openSync, readSync, readdirSync } from 'node:fs';
import { SystemCallError, check, libc, pinned } from './libc.ts';
import { RECORD } from './ladder.ts';
import type { FunctionMessage, KeeperMessage, TemplateMessage } from './ladder.ts';
import { receiveMessage, receiveRecord, receiveCredentials, sendMessage, sendRecord } from './messages.ts';
import { becomeUser, enter, enterUserNamespace, moveMount, mountTmp, newMountNamespace, showFunction, undumpable } from './isolate.ts';

export type KeeperOptions = {
  readonly control: number;
  /** The keeper's end of the connection to the template and, through it, its instances' hellos; -1 once that is closed. */
  template: number;
  readonly templatePid: number;
  readonly user: { readonly privileged: boolean; readonly uid: number; readonly gid: number };
};

type Spare = { readonly user: number; readonly mounts: number };

const SIGKILL = 9;
const WNOHANG = 1;
const POLLIN = 1;
const POLLHUP = 16;

/** Runs until the host's end of the control socket is closed; never returns. */
export function keep(options: KeeperOptions): never {
  receiveCredentials(options.template);
  const children = blockChildSignals();
  const state: State = { instances: new Map(), initialised: false, spares: undefined, spare: undefined };
  for (;;) {
    // A spare is made while nobody waits: after a command has been passed on.
    if (state.initialised && !state.spare && !hasInput(options.control)) state.spare = state.spares!();
    const ready = wait([options.control, options.template, children]);
    if (ready[2]) collectOrphans(options, children);
    if (ready[1]) hear(options, state);
    if (ready[0]) {
      const received = receiveMessage(options.control);
      if (!received) libc._exit(0);
      obey(options, state, received!.message as KeeperMessage, received!.fds);
    }
  }
}

type State = {
  /** Their pids, by id; `doomed`: to be ended as soon as it says its pid. */
  readonly instances: Map<number, number | 'doomed'>;
  initialised: boolean;
  spares: SpareMaker | undefined;
  spare: Spare | undefined;
};

function obey(options: KeeperOptions, state: State, message: KeeperMessage, fds: readonly number[]): void {
  switch (message.do) {
    case 'init':
      showFunction({ ...message, ...options.user });
      tell(options, message, fds);
      becomeUser(options.user);
      enterUserNamespace(options.user);
      undumpable();
      state.spares = spareMaker(message, options.user);
      break;
    case 'fork':
    case 'serve': {
      const spare = state.spare ?? state.spares!();
      state.spare = undefined;
      tell(options, message, [...fds, spare.user, spare.mounts]);
      libc.close(spare.mounts);
      break;
    }
    case 'end': {
      const pid = state.instances.get(message.id);
      if (typeof pid === 'number') end(options, pid);
      // It has not said hello yet: it is ended when it does.
      else state.instances.set(message.id, 'doomed');
      break;
    }
  }
  for (const fd of fds) libc.close(fd);
}

function tell(options: KeeperOptions, message: TemplateMessage, fds: readonly number[]): void {
  try {
    sendMessage(options.template, message, fds);
  } catch (error) {
    // The template is gone; the host learns of it through its wait status.
    if (!(error instanceof SystemCallError)) throw error;
  }
}

/** An instance leads its own process group, so that what it started goes with it. One that has ended by itself keeps its status. */
function end(options: KeeperOptions, pid: number): void {
  libc.kill(-pid, SIGKILL);
  libc.kill(pid, SIGKILL);
  tell(options, { do: 'reap', pid }, []);
}

/** Records from the template's socket: the kernel says who sent each. */
function hear(options: KeeperOptions, state: State): void {
  const { instances } = state;
  const record = receiveRecord(options.template);
  if (!record) {
    libc.close(options.template);
    options.template = -1;
    return;
  }
  if (record.kind === RECORD.hello && record.pid !== options.templatePid) {
    const doomed = instances.get(record.a) === 'doomed';
    instances.set(record.a, record.pid);
    if (doomed) end(options, record.pid);
  } else if (record.kind === RECORD.initialised && record.pid === options.templatePid) {
    state.initialised = true;
  } else if (record.kind === RECORD.reaped && record.pid === options.templatePid) {
    for (const [id, pid] of instances) {
      if (pid !== record.a) continue;
      instances.delete(id);
      sendRecord(options.control, RECORD.instanceEnded, id, record.b);
    }
  }
}

/** Pid 1 is the parent of all that lost theirs. */
function collectOrphans(options: KeeperOptions, signals: number): void {
  const status = Buffer.alloc(128);
  readSync(signals, Buffer.alloc(128), 0, 128, null);
  for (;;) {
    const pid = libc.waitpid(-1, status, WNOHANG);
    if (pid <= 0) return;
    if (pid === options.templatePid) sendRecord(options.control, RECORD.templateEnded, status.readInt32LE(0));
  }
}

type SpareMaker = () => Spare;

/**
 * Makes mount namespaces that differ in their /tmp. They belong to a user namespace owned by the sandbox's user: that is why a forked instance,
 * the same user one namespace above, may enter them and has no right to anything else. A fresh /tmp begins as init left the template's.
 */
function spareMaker(message: FunctionMessage, user: { readonly uid: number; readonly gid: number }): SpareMaker {
  const userNamespace = openSync('/proc/self/ns/user', 'r');
  const base = openSync('/proc/self/ns/mnt', 'r');
  return () => {
    enter(base);
    newMountNamespace();
    if (readdirSync('/tmp').length === 0) mountTmp('/tmp', { ...message, ...user });
    else {
      mountTmp('/.tmp', { ...message, ...user });
      cpSync('/tmp', '/.tmp', { recursive: true, preserveTimestamps: true, verbatimSymlinks: true });
      moveMount('/.tmp', '/tmp');
    }
    return { user: userNamespace, mounts: openSync('/proc/self/ns/mnt', 'r') };
  };
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
  libc.poll(polled.buffer, BigInt(fds.length), timeoutMs);
  return fds.map((_, i) => (polled.buffer.readInt16LE(i * 8 + 6) & (POLLIN | POLLHUP)) !== 0);
}

const hasInput = (fd: number): boolean => wait([fd], 0)[0]!;
