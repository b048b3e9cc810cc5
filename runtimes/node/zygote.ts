/**
 * The zygote: a booted runtime that holds no user data and only forks. Loaded by start.ts, with its command socket as descriptor 3; it
 * ends when the host's end of that is closed.
 */
import { writeSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { check, lastErrno, libc, pinned } from '../ladder/libc.ts';
import { RECORD } from '../ladder/orders.ts';
import type { BlankMessage } from '../ladder/orders.ts';
import { favourGroupMoves } from '../ladder/group-moves.ts';
import { listenAt, loopbackUp } from '../ladder/loopback.ts';
import { receiveMessage, sendMessage, sendRecord, socketPair } from '../ladder/messages.ts';
import { buildRoot, emptyBoundingSet, leaveNamespaces, namespacesOf, undumpable } from '../ladder/isolate.ts';
import { machineMs } from '../ladder/steps.ts';
import type { User } from '../ladder/isolate.ts';
import { keep } from '../ladder/keeper.ts';
import { architecture, SYSCALLS } from '../ladder/syscalls.ts';
import { fork, rememberWorkers, tryFork } from './rungs.ts';
import { runTemplate } from './template.ts';
import type { TemplateOptions } from './template.ts';
import { rememberShared } from './descriptors.ts';
import { ownRandomness } from './uniqueness.ts';
import { rehearse, rehearseWeb } from './rehearse.ts';
import { fitWorkers } from './workers.ts';
import { compactHeap, joinReadOnly } from './layout.ts';
import { fillGaps } from './malloc.ts';
import { forgetConstants, useHugePages } from './code-pages.ts';
import { direct } from './direct.ts';
import { furnish, furnishGuest, furnishWrapped } from './furniture.ts';
import { useNative } from './native.ts';

const COMMANDS = 3;
/** In place of a descriptor. */
const NONE = -1;
const QUIET_MS = 100;
const FOR_EVER = -1;

// Not awaited: the module would end, and Node do what it does when a program is loaded, where `main` ends, in each instance.
void main();

async function main(): Promise<void> {
  libc.prctl(36, 1n, 0n, 0n, 0n); // PR_SET_CHILD_SUBREAPER: orphaned keepers come here
  ignoreChildren(true);
  emptyBoundingSet();
  favourGroupMoves();
  setFlagsFromString('--lazy');
  ownRandomness();
  fitWorkers();
  useNative(direct);
  forgetConstants();
  await rehearse();
  joinReadOnly();
  compactHeap();
  // Not before it: then V8 put something off in each instance, for a thread that is not there.
  useHugePages();
  fillGaps();
  rememberWorkers();
  rememberShared();
  sendRecord(COMMANDS, RECORD.ready);
  const role = forkOnCommand(QUIET_MS) ?? (await loadWhenQuiet());
  await runTemplate(role);
}

/**
 * What Node has of the web takes a tenth of a second to load: not before the platform has the sandboxes that it begins with, but once for all
 * that come later. What runs in those before loads it when it needs it.
 */
async function loadWhenQuiet(): Promise<TemplateOptions> {
  await rehearseWeb();
  compactHeap();
  fillGaps();
  return forkOnCommand(FOR_EVER)!;
}

const polled = pinned(8);
const POLLIN = 1;

/** False: for so long there was none. */
function waitForInput(fd: number, ms: number): boolean {
  polled.buffer.writeInt32LE(fd, 0);
  polled.buffer.writeInt32LE(POLLIN, 4);
  // An error is told by whoever reads.
  return libc.poll(polled.address, 1n, ms) !== 0;
}

/** Returns in each new template; undefined: nothing has come for `quietMs` since the last order. */
function forkOnCommand(quietMs: number): TemplateOptions | undefined {
  for (let waitMs = FOR_EVER; ; waitMs = quietMs) {
    if (!waitForInput(COMMANDS, waitMs)) return undefined;
    const received = receiveMessage(COMMANDS);
    if (!received) libc._exit(0);
    const order = received!.message as BlankMessage;
    const [control, output, ...more] = received!.fds as [number, number, ...number[]];
    const child = tryFork();
    // There are too many processes. The host finds that the sandbox is gone; all others are there still, and end with this process.
    if (child === -1) writeSync(2, `a sandbox could not be forked: errno ${lastErrno()}\n`);
    if (child === 0) {
      libc.close(COMMANDS);
      const guest = order.guest ? more.pop() : undefined;
      return makeSandbox(order, { control, output, doorway: more[0], guest });
    }
    for (const fd of received!.fds) libc.close(fd);
  }
}

/** `guest`: the keeper's connection to a template that comes from elsewhere. */
type Ends = { readonly control: number; readonly output: number; readonly doorway: number | undefined; readonly guest: number | undefined };

/** In a child of the zygote: walls, then the keeper as pid 1 of them, then the template as the keeper's child, which is where this returns. */
function makeSandbox(order: BlankMessage, { control, output, doorway = NONE, guest }: Ends): TemplateOptions {
  const forkedMs = machineMs();
  ignoreChildren(false);
  const user = describeUser(order);
  for (const fd of [1, 2]) check(libc.dup2(output, fd), 'dup2');
  libc.close(output);
  const ownNetwork = order.network !== 'host';
  leaveNamespaces(user, ownNetwork);
  if (ownNetwork) openDoorway(doorway, order.network.insidePort);
  const parent = check(libc.syscall(BigInt(SYSCALLS.pidfd_open[architecture()]), BigInt(libc.getpid()), 0n, 0n), 'pidfd_open');
  const pid = fork();
  if (pid !== 0) {
    sendRecord(control, RECORD.born, pid);
    libc._exit(0);
  }
  const furniture = (root: string) => {
    if (order.guest) furnishGuest(root, order.guest);
    else if (order.wrapped) furnishWrapped(root, order.wrapped);
    else furnish(root);
  };
  const everybody = buildRoot({ root: order.root, packages: order.packages, user, ownNetwork, furnish: furniture });
  const kept = { control, doorway, parent, everybody, user, namespaces: namespacesOf(user, ownNetwork) };
  if (guest !== undefined) keep({ ...kept, template: guest, templatePid: undefined });
  const [keeper, template] = socketPair();
  const templatePid = fork();
  if (templatePid !== 0) {
    libc.close(template);
    undumpable();
    keep({ ...kept, template: keeper, templatePid });
  }
  libc.close(parent);
  libc.close(everybody);
  libc.close(control);
  libc.close(doorway);
  libc.close(keeper);
  return { keeper: template, user, forkedMs, walledMs: machineMs() };
}

/** The host has what listens there before it hears that the sandbox is born, and nobody inside has it. */
function openDoorway(doorway: number, insidePort: number): void {
  loopbackUp();
  const listening = listenAt('127.0.0.1', insidePort);
  sendMessage(doorway, {}, [listening]);
  libc.close(listening);
}

function describeUser(order: BlankMessage): User {
  const privileged = process.getuid!() === 0;
  return privileged ? { privileged, uid: order.uid, gid: order.uid } : { privileged, uid: process.getuid!(), gid: process.getgid!() };
}

/** Ignored children leave no zombies; their children's children must be able to wait for theirs. */
function ignoreChildren(ignored: boolean): void {
  const SIGCHLD = 17;
  libc.signal(SIGCHLD, ignored ? 1n : 0n);
}
