/** The template: runs the function's init once, then only forks. And what becomes of its children: instances. */
import { readFileSync } from 'node:fs';
import { NEVER_BEGAN, RECORD } from '../ladder/orders.ts';
import type { FunctionMessage, TemplateMessage } from '../ladder/orders.ts';
import { enterGroups } from '../ladder/groups.ts';
import { check, libc, pinned, pinnedText } from '../ladder/libc.ts';
import { receiveMessage, sendRecord } from '../ladder/messages.ts';
import type { Message } from '../ladder/messages.ts';
import { becomeUser, dropCapabilities, emptyBoundingSet, enter, undumpable, waitYourTurn } from '../ladder/isolate.ts';
import type { User } from '../ladder/isolate.ts';
import { leaveSiblings } from '../ladder/landlock.ts';
import { collectGarbage } from '../ladder/garbage.ts';
import { hasInput } from '../ladder/has-input.ts';
import { assemble, install, userCode } from '../ladder/seccomp.ts';
import { architecture } from '../ladder/syscalls.ts';
import { machineMs } from '../ladder/steps.ts';
import { detachShared } from './detach.ts';
import { replaceShared } from './descriptors.ts';
import { fillGaps } from './malloc.ts';
import { NODE_INSIDE } from './places.ts';
import { limitResources } from './resources.ts';
import { reviveLoop, tryFork } from './rungs.ts';
import { compile, waitWithTiers } from './tiers.ts';
import { refreshTimeOrigin } from './time-origin.ts';
import { leaveGenerators, refreshRandomness } from './uniqueness.ts';
import { Channel, KIND } from './channel.ts';
import { openCompileCache } from './compile-cache.ts';
import type { CompileCache } from './compile-cache.ts';
import { initialise, prepare } from './init.ts';
import { rehearseInit } from './rehearse-init.ts';
import { prepareToRehearse } from './rehearse-instance.ts';
import { reportInit } from './boot.ts';
import { hasAfterRestore } from './hooks.ts';
import { restore } from './restore.ts';
import { prepareServing } from './serve.ts';
import { forgetSessions } from './sessions.ts';
import type { Birth } from './birth.ts';
import { findCommand, findProgram } from '../provided/find.ts';
import type { ProgramError } from '../provided/find.ts';
import { becomeProgram, enterDirectory } from '../provided/program.ts';
import { launchExtensions } from '../provided/extensions.ts';

const MiB = 1024 * 1024;
/** Many runtimes map much more than they ever use. Where control groups count what is in use they may; elsewhere they may map so much at least. */
const PROGRAM_DATA_BYTES = 1_024 * MiB;
/** The channel has no descriptor before there is a function. */
const NOT_YET = -1;
/** Where a runtime that is started as a program finds it. */
const CHANNEL = 3;
const F_SETFD = 2;
/** Descriptors of an order to fork, beside doors: with a way for events. */
const WITH_EVENTS = 4;
const COLLECTED_AFTER = 64;
// Kept: user code shares this process, and what it makes of these must not stand between an order and what comes of it.
const { defineProperty } = Object;
const { chdir } = process;
const { max } = Math;
const { stringify } = JSON;
const TASK_ROOT = '/var/task';
const taskRoot = pinnedText(TASK_ROOT);
/** Assembled once, in the zygote. */
const filter = assemble(userCode(architecture()));

export type TemplateOptions = {
  /** This end of the connection to the keeper. */
  readonly keeper: number;
  readonly user: User;
  /** When the zygote had forked this sandbox, and when its walls stood, as `machineMs` says. */
  readonly forkedMs: number;
  readonly walledMs: number;
};

/** Goes on in the template and, after a fork, in each instance. */
export async function runTemplate(options: TemplateOptions): Promise<void> {
  // All that needs no function is done before there is one.
  const mappedBytes = confine(options);
  const channel = new Channel(NOT_YET);
  const prepared = prepare(channel);
  await rehearseInit(prepared);
  const blankMs = machineMs();
  const first = receiveMessage(options.keeper);
  const readMs = machineMs();
  if (!first) libc._exit(0);
  const spec = first!.message as { readonly do: 'init'; readonly doors: number } & FunctionMessage;
  const boot = first!.fds[0]!;
  // With extensions what they write to comes next.
  const doorsAt = spec.extensions.length === 0 ? 1 : 2;
  const stored = first!.fds[doorsAt + spec.doors];
  enterGroups(first!.fds, doorsAt, spec.doors);
  const limits = { dataBytes: (spec.memoryMiB + spec.reservedMiB) * MiB, processes: spec.processes };
  channel.swap(boot);
  const extend = (limit: () => void) => beginExtensions(options.keeper, spec, first!.fds[1]!, limit);
  const exit = (code: number) => libc._exit(code);
  if (spec.loader === 'program') {
    if (spec.image) sendRecord(options.keeper, RECORD.prepared);
    if (!receiveMessage(options.keeper)) libc._exit(0);
    const limit = () => limitResources({ ...limits, dataBytes: max(limits.dataBytes, PROGRAM_DATA_BYTES) });
    extend(limit);
    const error = startProgram(spec, () => {
      if (spec.command) handOn(boot);
      limit();
    });
    channel.sendText(KIND.initError, 0, 0, 0, stringify(error));
    return exit(1);
  }
  limitResources({ ...limits, dataBytes: mappedBytes + limits.dataBytes });
  let cache: CompileCache | undefined;
  const outcome = await initialise({
    taskRoot: TASK_ROOT,
    handler: spec.handler,
    loader: spec.loader === 'wasm' ? 'wasm' : 'node',
    environment: spec.environment,
    channel,
    exit,
    prepared: { ...prepared, descriptors: new Map(prepared.descriptors).set(String(boot), 'the boot channel') },
    awaitCode() {
      if (!receiveMessage(options.keeper)) libc._exit(0);
      // They have the limits of this process, which has mapped more than most programs.
      extend(() => {});
      chdir(TASK_ROOT);
      if (spec.compileCache) cache = openCompileCache({ taskRoot: TASK_ROOT, handler: spec.handler, stored, directory: '/tmp' });
      if (stored !== undefined) libc.close(stored);
    },
  });
  const compiled = cache?.finish();
  if (compiled && 'handler' in outcome) channel.sendBytes(KIND.compileCache, 0, compiled);
  // Before the host hears of it: the keeper must know when the host asks for an instance.
  sendRecord(options.keeper, RECORD.initialised);
  if (!reportInit(channel, outcome, [options.forkedMs, options.walledMs, blankMs, readMs])) exit(1);
  else {
    forgetSessions();
    compile(outcome.handler);
    waitWithTiers();
    const shared = outcome.blockers.flatMap(({ fd }) => fd ?? []);
    const begin = prepareServing(outcome, channel, { concurrency: spec.concurrency, exit });
    const rehearse = spec.concurrency === 1 ? prepareToRehearse(outcome) : undefined;
    const instance = forkOnCommand(options.keeper);
    const birth = becomeInstance(options.keeper, instance, shared);
    libc.close(boot);
    channel.swap(instance.channel, instance.events);
    // Where an invocation is there already it waits for this instance. Hooks wait for one.
    if (instance.forked && !hasInput(instance.events)) rehearse?.();
    if (hasAfterRestore()) await restore(channel, exit);
    begin(birth, instance.evented);
  }
}

/** What runs beside the function is there before it; the host says when the function may begin. `limit`: what each of them may take. */
function beginExtensions(keeper: number, { extensions, environment }: FunctionMessage, output: number, limit: () => void): void {
  if (extensions.length === 0) return;
  launchExtensions({ names: extensions, environment, output, keeper, fork: tryFork, lastly: limit });
  libc.close(output);
  if (!receiveMessage(keeper)) libc._exit(0);
}

/** Returns when that could not be. `lastly`: what it does when nothing else is left to do. */
function startProgram({ environment, image, command = image?.command }: FunctionMessage, lastly: () => void): ProgramError {
  const unreachable = enterDirectory(image?.workingDirectory ?? TASK_ROOT);
  if (unreachable) return unreachable;
  const path = command ? findCommand(command[0], environment['PATH']) : findProgram();
  if (typeof path !== 'string') return path;
  libc.setsid();
  waitYourTurn();
  return becomeProgram({ path, arguments: command ?? [path], environment }, lastly);
}

/** The program has it as its channel. */
function handOn(fd: number): void {
  if (fd === CHANNEL) check(libc.fcntl(CHANNEL, F_SETFD, 0), 'fcntl F_SETFD');
  else check(libc.dup2(fd, CHANNEL), 'dup2');
}

/** The walls around user code. Returns how many bytes of private writable memory are mapped already: most of it V8's own reservations. */
function confine(options: TemplateOptions): number {
  replaceShared();
  // A user namespace has begun with a full one; as root the zygote has emptied its own.
  if (!options.user.privileged) emptyBoundingSet();
  becomeUser(options.user);
  dropCapabilities();
  undumpable();
  install(filter);
  reviveLoop();
  leaveGenerators();
  process.execPath = NODE_INSIDE;
  process.argv.splice(0, process.argv.length, NODE_INSIDE, '/var/runtime/index.mjs');
  process.execArgv.splice(0);
  process.title = 'function';
  setPid();
  return Number(/^VmData:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'latin1'))![1]) * 1024;
}

const status = pinned(4);
// By index: user code may have changed what buffers can do.
const statusWord = new Int32Array(status.buffer.buffer);

type InstanceOrder = {
  readonly id: number;
  readonly channel: number;
  /** Where its invocations come, unless by the channel. */
  readonly events: number;
  readonly given: readonly number[];
  /** So many of `given`, before the last two. */
  readonly doors: number;
  readonly userNamespace: number;
  readonly mounts: number;
  readonly forked: boolean;
  /** Its event loop runs between invocations too. */
  readonly evented: boolean;
  /** When the template read it. */
  readonly readMs: number;
};

/** Waits for commands, blocking, so that nothing of the function runs between two forks; returns in each instance. */
function forkOnCommand(keeper: number): InstanceOrder {
  let forks = 0;
  for (;;) {
    const received = receiveMessage(keeper);
    if (!received) libc._exit(0);
    const { message, fds } = received as Message;
    const order = message as TemplateMessage;
    if (order.do === 'fork' || order.do === 'serve') {
      const readMs = machineMs();
      // From the host the channel, perhaps a way for events, and doors; from the keeper two namespaces.
      const given = fds as number[];
      const doors = order.do === 'fork' ? order.doors : 0;
      const channel = given[0]!;
      const events = given.length - doors === WITH_EVENTS ? given[1]! : channel;
      const userNamespace = given[given.length - 2]!;
      const mounts = given[given.length - 1]!;
      const forked = order.do === 'fork';
      const evented = order.do === 'serve' && order.evented;
      const instance = { id: order.id, channel, events, given, doors, userNamespace, mounts, forked, evented, readMs };
      const pid = order.do === 'serve' ? 0 : tryFork();
      if (pid === 0) return instance;
      if (pid === -1) sendRecord(keeper, RECORD.notForked, order.id);
      for (let i = 0; i < given.length; i++) libc.close(given[i]!);
      // What init left in the young generation would be copied by the first collection of every child; the first one is awaited already.
      // Later it is what forking leaves, which V8 by itself would let grow.
      if (forks % COLLECTED_AFTER === 0) collectGarbage('minor');
      if (forks++ === 0) fillGaps();
    } else if (order.do === 'reap') {
      // Where something that init has loaded collects children, it is gone all the same.
      const known = libc.waitpid(order.pid, status.address, 0) === order.pid;
      sendRecord(keeper, RECORD.reaped, order.pid, known ? statusWord[0] : NEVER_BEGAN);
    }
  }
}

/** `shared`: descriptors that init left open; there are some in a fork only where the function's settings say so. */
function becomeInstance(keeper: number, instance: InstanceOrder, shared: readonly number[]): Birth {
  const forkedMs = instance.forked ? machineMs() : 0;
  if (instance.forked) {
    sendRecord(keeper, RECORD.hello, instance.id);
    libc.close(keeper);
    enterGroups(instance.given, instance.given.length - 2 - instance.doors, instance.doors);
    libc.setsid();
    detachShared(shared);
    reviveLoop();
    refreshTimeOrigin(forkedMs);
    refreshRandomness();
    setPid();
    enter(instance.userNamespace);
    enter(instance.mounts);
    // The full bounding set that a user namespace begins with gives nothing to a process under no_new_privs.
    dropCapabilities();
    leaveSiblings();
  }
  // A template that serves by itself keeps the /tmp of its init: it is the only one, and with threads it could enter no other namespace.
  libc.close(instance.userNamespace);
  libc.close(instance.mounts);
  waitYourTurn();
  // To where Node knows it is: the other mounts have other directories.
  check(libc.chdir(taskRoot.address), 'chdir');
  return { begunMs: instance.readMs, forkedMs, readyMs: machineMs(), eventMs: 0 };
}

/** Node reads its pid once, at start. */
function setPid(): void {
  defineProperty(process, 'pid', { value: libc.getpid(), enumerable: true, configurable: true });
}
