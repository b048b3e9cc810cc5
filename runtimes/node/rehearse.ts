/**
 * Runs what every child will run, once, in the zygote: what is compiled here is compiled for all of them. An invocation through the real
 * loop over a real socket, and loading a module of each kind.
 */
import { writeSync } from 'node:fs';
import { RECORD } from '../ladder/orders.ts';
import { libc } from '../ladder/libc.ts';
import { receiveMessage, receiveRecord, sendMessage, sendRecord, socketPair } from '../ladder/messages.ts';
import { machineMs } from '../ladder/steps.ts';
import { Channel, HEAD_BYTES, KIND } from './channel.ts';
import { forgetInvocation, rehearseConsole } from './console.ts';
import { functionFacts } from './context.ts';
import { edgeHandler, isEdgeHandler } from './edge.ts';
import { ending } from './ending.ts';
import { loadHandler } from './load.ts';
import { rehearsalFunction } from '../wasm/rehearsal.ts';
import { prepareServing } from './serve.ts';
import { optimize } from './tiers.ts';
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
}

/** Most functions wait for something. The first timers take as long as all the rest of a start. */
const waits: Handler = () => new Promise((resolve) => setTimeout(resolve, WAIT_MS));

/** A WebAssembly module, from its bytes to its answers. */
async function rehearseModule(): Promise<void> {
  const { invoke, reset } = rehearsalFunction();
  await invokeRepeatedly((event) => invoke(event as Uint8Array), ROUNDS, reset);
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
  const loaded = {
    handler: keeping,
    edge,
    streaming: false,
    highWaterMark: undefined,
    facts: functionFacts({}),
    returnsValues: true,
    ...(afterBytes && { afterBytes }),
  };
  kept[2] = loaded;
  for (let round = 0; round < rounds; round++) writeSync(host, edge ? formFrame(round) : invokeFrame(round));
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

const ID = '00000000-0000-4000-8000-000000000000';
const DEADLINE = '1000000000000';
const ARN = 'arn:aws:lambda';
const TRACE = 'Root=1-00000000-000000000000000000000000';

/** As the engine sends them: of each three invocations one with a trace, one without, one as a form. */
function invokeFrame(stream: number): Buffer {
  if (stream % 3 === 0) return formFrame(stream);
  const trace = stream % 3 === 1 ? `,"trace":"${TRACE}"` : '';
  const head = Buffer.from(`{"id":"${ID}","deadlineMs":${DEADLINE},"arn":"${ARN}"${trace}}`);
  return frameOf(KIND.invoke, stream, [head.length], head, Buffer.from('{"name":"Ada","list":[1,2,3]}'));
}

function formFrame(stream: number): Buffer {
  // As function URLs have it.
  const event = {
    version: '2.0',
    routeKey: '$default',
    rawPath: '/',
    rawQueryString: '',
    headers: { host: 'localhost', 'x-amzn-trace-id': '' },
    requestContext: {
      accountId: 'anonymous',
      apiId: 'id',
      domainName: 'localhost',
      domainPrefix: 'id',
      http: { method: '', path: '', protocol: 'HTTP/1.1', sourceIp: '127.0.0.1', userAgent: '' },
      requestId: '',
      routeKey: '$default',
      stage: '$default',
      time: '',
      timeEpoch: 0,
    },
    isBase64Encoded: false,
  };
  const blanks = [
    [['requestContext', 'http', 'method'], 'text'],
    [['rawPath'], 'text'],
    [['requestContext', 'timeEpoch'], 'number'],
  ];
  const form = Buffer.from(JSON.stringify({ event, blanks, body: 'none' }));
  const texts = Buffer.from(`${[ID, DEADLINE, ARN, TRACE, 'GET', '/', '1'].join('\n')}\n`);
  return frameOf(KIND.invokeForm, stream, [1, form.length, texts.length], form, texts);
}

/** A frame whose payload begins with numbers, u32 each. */
function frameOf(kind: number, stream: number, numbers: readonly number[], ...parts: readonly Buffer[]): Buffer {
  const head = Buffer.alloc(HEAD_BYTES + 4 * numbers.length);
  const frame = Buffer.concat([head, ...parts]);
  frame.writeUInt32LE(frame.length - HEAD_BYTES, 0);
  frame[4] = kind;
  frame.writeUInt32LE(stream, 5);
  numbers.forEach((number, i) => frame.writeUInt32LE(number, HEAD_BYTES + 4 * i));
  return frame;
}
