/**
 * Run as a process of its own, with a `CrowdCall` as JSON. Asks for so many answers, each of which comes at `untilMs` and not before, so that each
 * needs an instance of its own. Prints a `Crowd` as one line of JSON.
 */
import { randomUUID } from 'node:crypto';
import { Agent, get, request } from 'node:http';
import { createInterface } from 'node:readline';
import { HEADERS } from '../hearth.ts';
import type { Crowd, CrowdCall } from '../crowd.ts';

type Begun = { readonly id: string; readonly begunMs: number };

const { url, name, count, connections, untilMs } = JSON.parse(process.argv[2]!) as CrowdCall;
const agent = new Agent({ keepAlive: true });
const leaves = connections < count;
/** By call: who is told that its handler has begun. */
const awaited = new Map<string, (begun: Begun) => void>();
const ids: string[] = [];
const beganAfterMs: number[] = [];
let failures = 0;
let failure: string | undefined;
let left = count;

if (leaves) await followLog();
const sentMs = Date.now();
await Promise.all(Array.from({ length: Math.min(connections, count) }, work));
const crowd: Crowd = { ids, beganAfterMs, failures, ...(failure !== undefined && { failure }) };
process.stdout.write(`${JSON.stringify(crowd)}\n`, () => process.exit(0));

async function work(): Promise<void> {
  while (left-- > 0) {
    try {
      const { id, begunMs } = await call();
      ids.push(id);
      beganAfterMs.push(begunMs - sentMs);
    } catch (error) {
      failures++;
      failure ??= String(error);
    }
  }
}

/** Resolves with the answer; or, where others wait for the connection, when the handler has begun: it runs on without its caller. */
function call(): Promise<Begun> {
  return new Promise((resolve, reject) => {
    const key = randomUUID();
    const body = JSON.stringify({ untilMs, ...(leaves && { key }) });
    const headers = { ...HEADERS, 'content-length': body.length };
    const sent = request(`${url}/2015-03-31/functions/${name}/invocations`, { method: 'POST', agent, headers }, (response) => {
      let said = '';
      response.setEncoding('utf8').on('data', (text: string) => (said += text));
      response.once('error', reject);
      response.once('end', () => {
        if (response.statusCode === 200 && said.includes('begunMs')) resolve(JSON.parse(said) as Begun);
        else reject(new Error(`HTTP ${response.statusCode} ${said.slice(0, 500)}`));
      });
    });
    sent.once('error', reject);
    sent.end(body);
    if (leaves)
      awaited.set(key, (begun) => {
        awaited.delete(key);
        resolve(begun);
        sent.destroy();
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
