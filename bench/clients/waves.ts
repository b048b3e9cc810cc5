/**
 * Run as a process of its own, with a `Waves` as JSON: so many callers at a time for so long, then another number, each of whom asks again as
 * soon as it has its answer. Prints what each level came to as one line of JSON. By hand, as who asks has the same processors as who answers.
 */
import { createConnection } from 'node:net';
import type { Socket } from 'node:net';
import type { Level, LevelResult, Waves } from '../waves.ts';

const { url, host, levels, once } = JSON.parse(process.argv[2]!) as Waves;
const { hostname, port } = new URL(url);
const request = `GET / HTTP/1.1\r\nhost: ${host}\r\n\r\n`;

/** Each keeps its connection for as long as the other end does. */
const callers: Caller[] = [];
const results: LevelResult[] = [];
for (const level of levels) results.push(await hold(level));
process.stdout.write(`${JSON.stringify(results)}\n`, () => process.exit(0));

async function hold({ callers: count, seconds }: Level): Promise<LevelResult> {
  // All are connected before anybody asks, as behind a proxy that keeps its connections. One that has never asked would be closed.
  const connected = await Promise.all(Array.from({ length: count }, async (_, i) => (callers[i]?.isOpen() ? callers[i] : connect())));
  callers.splice(0, count, ...connected);
  const startMs = performance.now();
  const endMs = startMs + seconds * 1_000;
  const firstByteMs: number[] = [];
  let failures = 0;
  let failure: string | undefined;
  const work = async (caller: Caller) => {
    for (;;) {
      const sentMs = performance.now();
      try {
        firstByteMs.push((await caller.call()) - sentMs);
      } catch (error) {
        failures++;
        failure ??= String(error);
        return;
      }
      if (once || performance.now() >= endMs) return;
    }
  };
  await Promise.all(connected.map(work));
  return { firstByteMs, failures, ...(failure !== undefined && { failure }) };
}

type Caller = { isOpen(): boolean; call(): Promise<number> };

function connect(): Promise<Caller> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ host: hostname, port: Number(port) }, () =>
      resolve({ isOpen: () => !socket.destroyed, call: () => call(socket) }),
    );
    socket.setEncoding('latin1').setNoDelay().once('error', reject);
  });
}

/** When the first byte of the answer's body was there; resolves when all of it is. */
function call(socket: Socket): Promise<number> {
  return new Promise((resolve, reject) => {
    let said = '';
    let bodyAt = -1;
    let firstMs = 0;
    const settle = (result: () => void) => {
      socket.off('data', hear).off('close', closed);
      result();
    };
    const closed = () => settle(() => reject(new Error(`the connection was closed after: ${said.slice(0, 300)}`)));
    const hear = (text: string) => {
      said += text;
      if (bodyAt < 0) {
        const end = said.indexOf('\r\n\r\n');
        if (end < 0) return;
        bodyAt = end + 4;
      }
      if (firstMs === 0 && said.length > bodyAt) firstMs = performance.now();
      const head = said.slice(0, bodyAt).toLowerCase();
      if (!head.startsWith('http/1.1 200')) return settle(() => reject(new Error(said.slice(0, 300))));
      const length = /\r\ncontent-length: (\d+)\r\n/.exec(head)?.[1];
      const whole = length === undefined ? said.endsWith('\r\n0\r\n\r\n') : said.length >= bodyAt + Number(length);
      if (whole) settle(() => resolve(firstMs));
    };
    socket.on('data', hear).once('close', closed);
    socket.write(request);
  });
}
