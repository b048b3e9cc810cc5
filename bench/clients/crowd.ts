/**
 * Run as a process of its own, with a `CrowdCall` as JSON. Asks for so many answers, each of which comes at `untilMs` and not before, so that each
 * needs an instance of its own. Prints a `Crowd` as one line of JSON.
 */
import { randomUUID } from 'node:crypto';
import { get } from 'node:http';
import { createConnection } from 'node:net';
import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { HEADERS } from '../hearth.ts';
import type { Crowd, CrowdCall } from '../crowd.ts';

type Begun = { readonly id: string; readonly begunMs: number };

const { url, name, count, connections, untilMs } = JSON.parse(process.argv[2]!) as CrowdCall;
const { hostname, port } = new URL(url);
const head = [
  `POST /2015-03-31/functions/${name}/invocations HTTP/1.1`,
  `host: ${hostname}:${port}`,
  ...Object.entries(HEADERS).map(([header, value]) => `${header}: ${value}`),
].join('\r\n');
const leaves = connections < count;
/** By call: who is told that its handler has begun. */
const awaited = new Map<string, (begun: Begun) => void>();
const ids: string[] = [];
const beganAfterMs: number[] = [];
let failures = 0;
let failure: string | undefined;
let left = count;

if (leaves) await followLog();
// All are connected before anybody asks, as behind a proxy that keeps its connections.
const sockets = await Promise.all(Array.from({ length: Math.min(connections, count) }, connect));
const sentMs = Date.now();
await Promise.all(sockets.map(work));
const crowd: Crowd = { ids, beganAfterMs, failures, ...(failure !== undefined && { failure }) };
process.stdout.write(`${JSON.stringify(crowd)}\n`, () => process.exit(0));

async function work(connected: Socket): Promise<void> {
  for (let socket: Socket | undefined = connected; left-- > 0; socket = undefined) {
    try {
      const { id, begunMs } = await call(socket ?? (await connect()));
      ids.push(id);
      beganAfterMs.push(begunMs - sentMs);
    } catch (error) {
      failures++;
      failure ??= String(error);
    }
  }
}

function connect(): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ host: hostname, port: Number(port) }, () => resolve(socket));
    socket.setEncoding('latin1').once('error', reject);
  });
}

/**
 * Resolves with the answer; or, where others wait for the connection, when the handler has begun: it runs on without its caller. Written and read
 * by hand: who asks has the same processors as who answers, and an HTTP client would take a good part of them.
 */
function call(socket: Socket): Promise<Begun> {
  return new Promise((resolve, reject) => {
    const key = randomUUID();
    const body = JSON.stringify({ untilMs, ...(leaves && { key }) });
    let said = '';
    socket.on('data', (text: string) => {
      said += text;
      const answer = /^HTTP\/1\.1 (\d+)[^]*?\r\ncontent-length: (\d+)\r\n[^]*?\r\n\r\n([^]*)$/i.exec(said);
      if (!answer || answer[3]!.length < Number(answer[2])) return;
      if (answer[1] === '200' && said.includes('begunMs')) resolve(JSON.parse(answer[3]!) as Begun);
      else reject(new Error(`HTTP ${answer[1]} ${answer[3]!.slice(0, 500)}`));
    });
    socket.once('close', () => reject(new Error(`the connection was closed after: ${said.slice(0, 500)}`)));
    socket.write(`${head}\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
    if (leaves)
      awaited.set(key, (begun) => {
        awaited.delete(key);
        resolve(begun);
        socket.destroy();
      });
  });
}

/** The function's log, as it comes. */
function followLog(): Promise<void> {
  return new Promise((resolve, reject) => {
    get(`${url}/_hearth/functions/${name}/logs?follow=true&since=${Date.now()}`, (response) => {
      createInterface({ input: response }).on('line', (line) => {
        const said = /{\\"key\\":.*?}/.exec(line)?.[0].replaceAll('\\', '');
        if (said === undefined) return;
        const begun = JSON.parse(said) as Begun & { readonly key: string };
        awaited.get(begun.key)?.(begun);
      });
      resolve();
    }).once('error', reject);
  });
}
