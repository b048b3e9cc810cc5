/** A function that does whatever a function should not. It runs in a sandbox, so it imports nothing of the project. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { getInt32 } from 'node:ffi';

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const MiB = 1 << 20;

if (process.env.PIPE_IN_TMP) spawn('/usr/bin/mkfifo', ['/tmp/pipe']).unref();

const deeds = {
  behave: () => 'well',
  spin() {
    for (;;);
  },
  exit: () => process.exit(3),
  exitQuietly: () => process.exit(0),
  segfault: () => getInt32(8n),
  abort: () => process.abort(),
  hoardHeap() {
    const numbers = Array.from({ length: 100_000 }, (_, i) => i + 0.5);
    for (const hoard = []; ;) hoard.push(numbers.slice());
  },
  hoardBuffers() {
    for (const hoard = []; ;) hoard.push(Buffer.alloc(MiB, 1));
  },
  async hoardInChild() {
    const child = spawn(process.execPath, ['-e', 'for (const hoard = [];;) hoard.push(Buffer.alloc(1 << 20, 1))'], { stdio: 'ignore' });
    const [code, signal] = await once(child, 'exit');
    return code !== 0 || signal !== null;
  },
  /** Each of them is small, until what it keeps comes to an end. */
  async hoardInChildren() {
    const ends = Array.from({ length: 24 }, () => {
      const child = spawn('/usr/bin/tail', ['-c', '60m'], { stdio: ['pipe', 'ignore', 'ignore'] });
      child.stdin.on('error', () => {});
      for (let i = 0; i < 60; i++) child.stdin.write(Buffer.alloc(MiB, 1));
      return once(child, 'exit');
    });
    const [code, signal] = await Promise.race(ends);
    throw new Error(signal === 'SIGKILL' ? 'a child was killed' : `a child ended with ${code ?? signal}`);
  },
  floodLines() {
    for (let i = 0; ; i++) console.log(i, 'x'.repeat(200));
  },
  floodOneLine() {
    for (;;) process.stdout.write('x'.repeat(65_536));
  },
  floodRaw() {
    for (const bytes = Buffer.alloc(65_536, 'y'); ;) fs.writeSync(1, bytes);
  },
  floodRawLines() {
    for (const bytes = Buffer.alloc(65_536, 'yyyyyyyyyyyyyyy\n'); ;) fs.writeSync(1, bytes);
  },
  async floodFromChild() {
    await once(spawn('/usr/bin/yes', [], { stdio: 'inherit' }), 'exit');
  },
  floodLater: () => spawn('/usr/bin/yes', [], { stdio: 'inherit', detached: true }).pid > 0,
  fillTmp() {
    for (const bytes = Buffer.alloc(MiB, 1); ;) fs.appendFileSync('/tmp/big', bytes);
  },
  fillTmpWithFiles() {
    for (let i = 0; ; i++) fs.writeFileSync(`/tmp/${i}`, '');
  },
  /** In sessions of their own, and with a parent that is gone. */
  async leaveDaemons() {
    const daemons = Array.from({ length: 20 }, () =>
      spawn('/bin/sh', ['-c', 'setsid sleep 4711 & setsid setsid sleep 4712 &'], { detached: true, stdio: 'ignore' }),
    );
    await Promise.all(daemons.map((daemon) => once(daemon, 'exit')));
    for (;;);
  },
  async forkBomb() {
    spawn('/bin/sh', ['-c', 'b() { b | b & }; b'], { stdio: 'ignore', detached: true });
    await wait(60_000);
  },
  openFiles() {
    for (const held = []; ;) held.push(fs.openSync('/dev/null'));
  },
  async ignoreSignals() {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR1', 'SIGALRM']) process.on(signal, () => {});
    for (;;) await wait(10);
  },
  neverAnswer: () => new Promise(() => setInterval(() => {}, 1_000)),
  neverSettle: () => new Promise(() => {}),
  answer: ({ bytes }) => 'x'.repeat(bytes - 2),
  answerDeeply({ depth }) {
    let value = 1;
    for (let i = 0; i < depth; i++) value = [value];
    return value;
  },
  throwHuge() {
    throw new Error('e'.repeat(20 * MiB));
  },
  throwStrange() {
    throw Object.assign(new Error('x'), { name: 'n'.repeat(MiB), stack: 's'.repeat(30 * MiB) });
  },
  throwProxy() {
    throw new Proxy(new Error('x'), {
      get: () => {
        throw new Error('no');
      },
      getPrototypeOf: () => {
        throw new Error('no');
      },
    });
  },
  recurse() {
    const again = () => again();
    again();
  },
  async rejectUnheard() {
    void Promise.reject(new TypeError('nobody listens'));
    await wait(60_000);
  },
  async throwLater() {
    setTimeout(() => {
      throw new TypeError('late');
    }, 5);
    await wait(60_000);
  },
};

export const handler = async (event) => {
  const { deed, ...options } = event.rawPath ? JSON.parse(event.body) : event;
  return await deeds[deed](options);
};
