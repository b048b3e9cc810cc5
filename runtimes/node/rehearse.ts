/**
 * Runs what every child will run, once, in the zygote: what is compiled here is compiled for all of them. An invocation through the real
 * loop over a real socket, and loading a module of each kind.
 */
import { writeSync } from 'node:fs';
import { RECORD } from '../ladder/orders.ts';
import { libc } from '../ladder/libc.ts';
import { receiveMessage, receiveRecord, sendMessage, sendRecord, socketPair } from '../ladder/messages.ts';
import { machineMs } from '../ladder/steps.ts';
import { Channel } from './channel.ts';
import { forgetInvocation, rehearseConsole } from './console.ts';
import { functionFacts } from './context.ts';
import { edgeHandler, isEdgeHandler } from './edge.ts';
import { ending } from './ending.ts';
import { formFrame, invokeFrame, TRACE } from './invocation-frames.ts';
import { loadHandler } from './load.ts';
import { rehearsalFunction } from '../wasm/rehearsal.ts';
import { prepareToRehearse } from './rehearse-instance.ts';
import { prepareServing } from './serve.ts';
import { optimize } from './tiers.ts';
import { setTrace } from './trace.ts';
import { refreshRandomness } from './uniqueness.ts';

/**
 * Enough that V8 has compiled its baseline code and knows the shapes of objects; far more, and the optimising compiler is due in the first
 * invocation of every child, where it would hold the answer up. And so few that all frames fit into a socket's buffer: its reader is its writer.
 */
const ROUNDS = 50;
/** These cost time: the zygote is what a start of the platform waits for. */
const WAITING_ROUNDS = 6;
const WAIT_MS = 1;

type Handler = Parameters<typeof prepareServing>[0]['handler'];

/**
 * The last of what each kind of invocation made. What V8 has learnt about the shapes of objects goes with the last object of a shape, and
 * with it what it compiled.
 */
const kept: unknown[] = [];

export async function rehearse(): Promise<void> {
  const here = import.meta.dirname;
  await leavingNothing(async () => {
    for (const name of ['rehearsal-module', 'rehearsal-script']) {
      await invokeRepeatedly(await loadHandler(here, `${name}.handler`), ROUNDS);
    }
    await invokeRepeatedly(waits, WAITING_ROUNDS);
    await rehearseModule();
  });
  prepareToRehearse({ ...KINDLESS, handler: () => null })();
  writeLines();
  sendAndReceive();
  callOut();
}

/** The same for edge modules, which loads what Node has of the web. */
export async function rehearseWeb(): Promise<void> {
  await leavingNothing(() => invokeRepeatedly(edgeHandler({ fetch: (request) => Response.json({ url: request.url }) }), ROUNDS));
}

async function leavingNothing(run: () => Promise<void>): Promise<void> {
  const { exit, fault, idle } = ending;
  await run();
  Object.assign(ending, { exit, fault, idle });
  forgetInvocation();
  setTrace(undefined);
}

const KINDLESS = { edge: false, streaming: false, highWaterMark: undefined, facts: functionFacts({}), returnsValues: true };

/** Most functions wait for something. The first timers take as long as all the rest of a start. */
const waits: Handler = () => new Promise((resolve) => setTimeout(resolve, WAIT_MS));

/** A WebAssembly module, from its bytes to its answers. */
async function rehearseModule(): Promise<void> {
  for (const entry of ['handle', 'echo'] as const) {
    const { invoke, reset } = rehearsalFunction(entry);
    await invokeRepeatedly((event) => invoke(event as Uint8Array), ROUNDS, reset);
  }
}

async function invokeRepeatedly(handler: Handler, rounds: number, afterBytes?: () => void): Promise<void> {
  const [host, sandbox] = socketPair();
  const done = Promise.withResolvers<void>();
  const edge = isEdgeHandler(handler);
  const keeping: Handler = (event, context, more) => {
    kept[0] = event;
    kept[1] = context;
    return handler(event, context, more);
  };
  const loaded = { ...KINDLESS, handler: keeping, edge, ...(afterBytes && { afterBytes }) };
  kept[2] = loaded;
  for (let round = 0; round < rounds; round++) writeSync(host, edge ? formFrame(round, TRACE) : frameOf(round));
  const SHUT_WR = 1;
  libc.shutdown(host, SHUT_WR);
  const birth = { begunMs: machineMs(), forkedMs: machineMs(), readyMs: machineMs(), eventMs: 0 };
  prepareServing(loaded, new Channel(sandbox), { concurrency: 1, exit: () => done.resolve() })(birth);
  await done.promise;
  libc.close(host);
  libc.close(sandbox);
}

function writeLines(): void {
  const [host, sandbox] = socketPair();
  rehearseConsole(new Channel(sandbox), ROUNDS);
  libc.close(host);
  libc.close(sandbox);
}

/**
 * The wrappers that Node puts around functions of the C library, one for each number of arguments, are called some thirty times on the way to
 * the first invocation: V8 would find them worth optimising in each child, for 2 ms. None of these calls does anything.
 */
function callOut(): void {
  const NOWHERE = -1;
  const calls = [
    [libc.close, () => libc.close(NOWHERE)],
    [libc.umount2, () => [libc.umount2('', 0), libc.setns(NOWHERE, 0), libc.munmap(0n, 0n)]],
    [libc.poll, () => [libc.poll(0n, 0n, 0), libc.open('', 0, 0), libc.sendmsg(NOWHERE, 0n, 0), libc.write(NOWHERE, 0n, 0n)]],
    [libc.syscall, () => [libc.syscall(NO_CALL, 0n, 0n, 0n), libc.mount('', '', '', 0n, ''), libc.setsockopt(NOWHERE, 0, 0, null, 0)]],
  ] as const;
  for (const [wrapped, call] of calls) {
    for (let round = 0; round < ROUNDS; round++) call();
    optimize(wrapped, call);
  }
}

const NO_CALL = -1n;

/** What a child does on its way to its first invocation. */
function sendAndReceive(): void {
  const [one, other] = socketPair();
  for (let round = 0; round < ROUNDS; round++) {
    sendRecord(one, RECORD.hello, round);
    receiveRecord(other);
    sendMessage(one, { do: 'fork', id: round });
    receiveMessage(other);
    refreshRandomness();
  }
  libc.close(one);
  libc.close(other);
}

/** As the engine sends them: of each three invocations one with a trace, one without, one as a form. */
const frameOf = (round: number): Buffer => (round % 3 === 0 ? formFrame(round, TRACE) : invokeFrame(round, round % 3 === 1 ? TRACE : ''));
