/**
 * A function that speaks on descriptors that are not its business: the one its answers go through, and during init the one to its keeper.
 * FORGE in its environment says what it does during init. It runs in a sandbox, so it imports nothing of the project.
 */
import { spawn } from 'node:child_process';
import ffi from 'node:ffi';
import fs from 'node:fs';

const KIND = {
  invoke: 0x01,
  ready: 0x10,
  initError: 0x11,
  response: 0x20,
  error: 0x21,
  streamHead: 0x22,
  streamChunk: 0x23,
  streamEnd: 0x24,
  goesOn: 0x25,
  over: 0x26,
  log: 0x30,
  exit: 0x31,
};

/** During init the one to the keeper, which pid 1 has made, then the one to the host, whose maker can't be seen from here. */
function sockets() {
  const found = [];
  for (const name of fs.readdirSync('/proc/self/fd')) {
    try {
      if (fs.readlinkSync(`/proc/self/fd/${name}`).startsWith('socket:')) found.push(Number(name));
    } catch {
      // The descriptor of the listing.
    }
  }
  return found.toSorted((a, b) => makerOf(b) - makerOf(a));
}

function makerOf(fd) {
  const SOL_SOCKET = 1;
  const SO_PEERCRED = 17;
  const [credentials, length] = [Buffer.from(new ArrayBuffer(4096)), Buffer.from(new ArrayBuffer(4096))];
  length.writeInt32LE(12);
  c.getsockopt(fd, SOL_SOCKET, SO_PEERCRED, credentials, length);
  return credentials.readInt32LE(0);
}

function frame(kind, stream, payload, length = payload.length) {
  const head = Buffer.alloc(9);
  head.writeUInt32LE(length >>> 0, 0);
  head[4] = kind;
  head.writeUInt32LE(stream, 5);
  return Buffer.concat([head, payload]);
}

function writeAll(fd, bytes) {
  for (let at = 0; at < bytes.length;) {
    try {
      at += fs.writeSync(fd, bytes, at);
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error;
    }
  }
}

const { functions: c } = ffi.dlopen('libc.so.6', {
  sendmsg: { return: 'i64', arguments: ['i32', 'pointer', 'i32'] },
  shutdown: { return: 'i32', arguments: ['i32', 'i32'] },
  getsockopt: { return: 'i32', arguments: ['i32', 'i32', 'i32', 'pointer', 'pointer'] },
});

/** Bytes with descriptors (SCM_RIGHTS): `count` times an open file. */
function sendDescriptors(fd, bytes, count) {
  const file = fs.openSync('/dev/null');
  const [head, data, control] = [56, Math.max(bytes.length, 1), 16 + 4 * count].map((size) =>
    Buffer.from(new ArrayBuffer(Math.max(size, 4096))),
  );
  bytes.copy(data);
  const vector = Buffer.from(new ArrayBuffer(4096));
  vector.writeBigUInt64LE(ffi.getRawPointer(data), 0);
  vector.writeBigUInt64LE(BigInt(bytes.length), 8);
  control.writeBigUInt64LE(BigInt(16 + 4 * count), 0);
  control.writeUInt32LE(1, 8);
  control.writeUInt32LE(1, 12);
  for (let i = 0; i < count; i++) control.writeInt32LE(file, 16 + 4 * i);
  [0n, 0n, ffi.getRawPointer(vector), 1n, ffi.getRawPointer(control), BigInt(16 + 4 * count)].forEach((word, i) =>
    head.writeBigUInt64LE(word, 8 * i),
  );
  c.sendmsg(fd, head, 0);
  fs.closeSync(file);
}

/** The pipe its invocations come through: the newest. */
const pipes = () =>
  fs.readdirSync('/proc/self/fd').filter((name) => {
    try {
      return fs.readlinkSync(`/proc/self/fd/${name}`).startsWith('pipe:');
    } catch {
      return false;
    }
  });
const invocationPipe = () => Math.max(...pipes().map(Number));
const line = (stream) => frame(KIND.log, stream, Buffer.from([2, 65]));

const json = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));
const counted = (value) => Buffer.concat([Buffer.from([0, 1, 0, 0]), json(value)]);
const for60Seconds = () => new Promise((resolve) => setTimeout(resolve, 60_000));
const forEver = () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);

function record(kind, a = 0, b = 0) {
  const bytes = Buffer.alloc(16);
  [kind, a, b].forEach((value, i) => bytes.writeUInt32LE(value >>> 0, 4 * i));
  return bytes;
}

const READY = { initMs: 1, streaming: false, blockers: [] };
const DURING_INIT = {
  blockers: (keeper, boot) =>
    writeAll(
      boot,
      frame(
        KIND.ready,
        0,
        json({ initMs: 1, streaming: false, blockers: [{ kind: { toString: 1 }, detail: { toString: 1, valueOf: 1 } }, null, 7] }),
      ),
    ),
  types: (keeper, boot) => writeAll(boot, frame(KIND.ready, 0, json({ initMs: 'x', streaming: 'y', blockers: { length: 1e9 } }))),
  twice: (keeper, boot) => [1, 2, 3].forEach(() => writeAll(boot, frame(KIND.ready, 0, json(READY)))),
  answer: (keeper, boot) => writeAll(boot, frame(KIND.response, 1, counted('"early"'))),
  error: (keeper, boot) =>
    writeAll(boot, frame(KIND.initError, 0, json({ errorType: { toString: 1 }, errorMessage: [1], stackTrace: [{}, 'x', null] }))),
  deep: (keeper, boot) => writeAll(boot, frame(KIND.ready, 0, json(`${'['.repeat(4_000_000)}${']'.repeat(4_000_000)}`))),
  huge: (keeper, boot) => writeAll(boot, frame(KIND.ready, 0, Buffer.alloc(0), 0xffff_ffff)),
  rest: (keeper, boot) => {
    writeAll(boot, frame(KIND.ready, 0, json(READY)));
    forEver();
  },
  steal: (keeper, boot) => {
    writeAll(boot, frame(KIND.ready, 0, json(READY)));
    for (;;) fs.readSync(keeper, Buffer.alloc(1));
  },
  half: (keeper) => writeAll(keeper, record(2, 1).subarray(0, 7)),
  noise: (keeper) => writeAll(keeper, Buffer.alloc(160, 0xa5)),
  hellos: (keeper) => [0, 1, 2, 3].forEach((id) => writeAll(keeper, record(2, id))),
  ends: (keeper) => [1, 2, 3, 4].forEach((pid) => writeAll(keeper, record(3, pid, 0))),
  early: (keeper) => writeAll(keeper, record(7)),
  reports: (keeper) => [1, 4, 5, 6, 99].forEach((kind) => writeAll(keeper, record(kind, 1, 9))),
  closed: (keeper) => fs.closeSync(keeper),
  descriptors: (keeper) => {
    for (let i = 0; i < 200; i++) sendDescriptors(keeper, record(99), 200);
  },
  halfClosed: (keeper) => c.shutdown(keeper, 1),
  filled: () => {
    fs.symlinkSync('/proc/1/environ', '/tmp/link');
    fs.mkdirSync('/tmp/deep'.padEnd(200, '/d'), { recursive: true });
    for (let i = 0; i < 2_000; i++) fs.writeFileSync(`/tmp/${i}`, '');
    fs.chmodSync('/tmp', 0o300);
  },
};
if (process.env.FORGE) DURING_INIT[process.env.FORGE](...sockets());

const DURING_INVOCATION = {
  twice: (fd, stream) => writeAll(fd, frame(KIND.response, stream, counted('"forged"'))),
  other: (fd) => writeAll(fd, frame(KIND.response, 4711, counted('"forged"'))),
  zero: (fd) => writeAll(fd, frame(KIND.response, 0, counted('"forged"'))),
  kind: (fd, stream) => writeAll(fd, frame(0x77, stream, json('{}'))),
  huge: (fd, stream) => writeAll(fd, frame(KIND.response, stream, json('{}'), 0xffff_ffff)),
  over: (fd, stream) => writeAll(fd, frame(KIND.response, stream, Buffer.alloc(0), 8 * 1024 * 1024 + 1)),
  invoke: (fd, stream) => writeAll(fd, frame(KIND.invoke, stream, json('{}'))),
  ready: (fd) => writeAll(fd, frame(KIND.ready, 0, json(READY))),
  initError: (fd) => writeAll(fd, frame(KIND.initError, 0, json('{}'))),
  chunk: (fd, stream) => writeAll(fd, frame(KIND.streamChunk, stream, json('x'))),
  end: (fd, stream) => writeAll(fd, frame(KIND.streamEnd, stream, json('xxxx'))),
  isOver: (fd, stream) => writeAll(fd, frame(KIND.over, stream, Buffer.alloc(4))),
  goesOnTwice: (fd, stream) => [1, 2].forEach(() => writeAll(fd, frame(KIND.goesOn, stream, Buffer.alloc(0)))),
  goesOn: (fd, stream) => writeAll(fd, frame(KIND.goesOn, stream, Buffer.alloc(0))),
  heads: (fd, stream) => [1, 2].forEach(() => writeAll(fd, frame(KIND.streamHead, stream, json({ contentType: 'text/plain' })))),
  short: (fd, stream) => writeAll(fd, frame(KIND.response, stream, Buffer.from([1]))),
  error: (fd, stream) => writeAll(fd, frame(KIND.error, stream, counted('[[[['))),
  level: (fd, stream) => writeAll(fd, frame(KIND.log, stream, Buffer.from([200, 65]))),
  random: (fd) => writeAll(fd, Buffer.from(Array.from({ length: 5000 }, (_, i) => (i * 7919) % 251))),
  exit: (fd) => writeAll(fd, frame(KIND.exit, 0, json({ code: { toString: 1 } }))),
  types: (fd, stream) =>
    writeAll(fd, frame(KIND.error, stream, counted({ errorType: { toString: 1 }, errorMessage: ['x'], stackTrace: [{}, 'line', null] }))),
  prelude: (fd, stream, { prelude }) => {
    writeAll(fd, frame(KIND.streamHead, stream, json(prelude)));
    writeAll(fd, frame(KIND.streamChunk, stream, json('body')));
    writeAll(fd, frame(KIND.streamEnd, stream, Buffer.alloc(4)));
    process.exit(0);
  },
  before: (fd, stream) => writeAll(fd, frame(KIND.response, stream - 1, counted('"forged"'))),
  after: (fd, stream) => writeAll(fd, frame(KIND.response, stream + 1, counted('"forged"'))),
  torn: (fd, stream) => {
    for (const byte of frame(KIND.response, stream, counted('"forged"'))) writeAll(fd, Buffer.from([byte]));
    process.exit(0);
  },
  descriptors: (fd, stream) => {
    for (let i = 0; i < 100; i++) sendDescriptors(fd, line(stream), 200);
  },
  lines: (fd, stream) => {
    const lines = Buffer.concat(Array.from({ length: 5_000 }, () => line(stream)));
    for (let i = 0; i < 20; i++) writeAll(fd, lines);
  },
  halfClosed: (fd) => {
    c.shutdown(fd, 1);
    return for60Seconds();
  },
  ownByte: () => {
    fs.writeSync(fs.openSync(`/proc/self/fd/${invocationPipe()}`, fs.constants.O_WRONLY | fs.constants.O_NONBLOCK), 'x');
    for (;;);
  },
  ownFlood: () => {
    const pipe = fs.openSync(`/proc/self/fd/${invocationPipe()}`, fs.constants.O_WRONLY);
    spawn('/bin/sh', ['-c', 'while :; do echo 0123456789; done >&3'], { stdio: ['ignore', 'ignore', 'ignore', pipe] });
    for (;;);
  },
  ownInvocation: (fd, stream) => {
    const pipe = fs.openSync(`/proc/self/fd/${invocationPipe()}`, fs.constants.O_WRONLY);
    for (let i = 0; i < 8; i++) writeAll(pipe, frame(KIND.invoke, stream + i, Buffer.concat([Buffer.alloc(4), json('{}')])));
    process.kill(process.pid, 'SIGKILL');
  },
  raw: (fd, stream, { text }) => {
    writeAll(fd, frame(KIND.response, stream, counted(text)));
    process.exit(0);
  },
  partial: (fd, stream) => {
    writeAll(fd, frame(KIND.response, stream, json('x'), 1000));
    return for60Seconds();
  },
  silent: (fd) => {
    fs.closeSync(fd);
    for (;;);
  },
};

let invocations = 0;
export const handler = async (event) => {
  invocations++;
  const forged = event.rawPath ? JSON.parse(event.body) : event;
  if (!forged.forge) return 'honest';
  await DURING_INVOCATION[forged.forge](sockets().at(-1), invocations, forged);
  return 'honest';
};
