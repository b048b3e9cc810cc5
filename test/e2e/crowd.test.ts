/** Many callers of a function that is fast, mostly: instances at work are handed invocations ahead, and none of them runs twice or is lost. */
import assert from 'node:assert/strict';
import { Agent, get } from 'node:http';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { closeAfter } from '../closing.ts';
import { startIsolated } from './platform.ts';

const CALLERS = 64;
const CALLS = 2_000;
/** Of so many calls one takes long, one ends its process, and one throws. */
const SLOW = 97;
const EXITS = 211;
const THROWS = 131;

const SOURCE = `export const handler = async ({ rawPath }) => {
  const n = Number(rawPath.slice(1));
  console.log('ran ' + n + '.');
  if (n % ${SLOW} === 1) await new Promise((resolve) => setTimeout(resolve, 30));
  if (n % ${EXITS} === 2) process.exit(1);
  if (n % ${THROWS} === 3) throw new Error('as it should');
  return { statusCode: 200, body: String(n) };
};
`;

test(`${CALLS} calls by ${CALLERS} callers each run once and have their own answer, whatever happens to those before them`, async (t) => {
  const isolated = await startIsolated(t);
  if (!isolated) return;
  await isolated.create('crowd', SOURCE, { Timeout: 10 });
  const url = await isolated.url('crowd');
  const agent = new Agent({ keepAlive: true, maxSockets: CALLERS });
  closeAfter(t, () => agent.destroy());
  const call = (n: number) =>
    new Promise<string>((resolve, reject) => {
      const request = get(new URL(String(n), url.endsWith('/') ? url : `${url}/`), { agent }, async (response) =>
        resolve(`${response.statusCode} ${await text(response)}`),
      );
      request.on('error', reject);
    });
  // A history, so that it is known to be fast.
  for (let n = 0; n < 50; n++) assert.equal(await call(0), '200 0');
  const numbers = Array.from({ length: CALLS }, (_, n) => n + 1).values();
  const wrong: string[] = [];
  const caller = async () => {
    for (const n of numbers) {
      const expected = n % EXITS === 2 || n % THROWS === 3 ? '502 {"message":"Internal Server Error"}' : `200 ${n}`;
      const said = await call(n);
      if (said !== expected) wrong.push(`${n}: ${said}`);
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
  assert.deepEqual(wrong, []);
  const log = await (await fetch(`${isolated.platform.url}/_hearth/functions/crowd/logs?limit=10000`)).text();
  const ran = new Map<number, number>();
  for (const [, n] of log.matchAll(/INFO\\tran (\d+)\./g)) ran.set(Number(n), (ran.get(Number(n)) ?? 0) + 1);
  const counted = Array.from({ length: CALLS }, (_, n) => n + 1).filter((n) => ran.get(n) !== 1);
  assert.deepEqual(counted, []);
});
