/** The platform is killed while a burst of invocations runs. Nothing of it is left, and the next start serves the next burst. */
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Agent, get } from 'node:http';
import { text } from 'node:stream/consumers';
import { closeAfter } from '../closing.ts';
import { temporaryDirectory } from '../temporary.ts';
import { descendants, isAlive } from './footprint.ts';
import { eventually, startIsolated } from './platform.ts';
import type { Isolated } from './platform.ts';

const CALLERS = 100;
const ROUNDS = 2;

const SOURCE = `export const handler = async ({ rawPath }) => {
  if (rawPath === '/hold') await new Promise((resolve) => setTimeout(resolve, 300_000));
  else await new Promise((resolve) => setTimeout(resolve, 200));
  return 'served';
};`;

test(
  `kill -9 while ${CALLERS} invocations run leaves nothing behind, and the next start serves as many`,
  { timeout: 300_000 },
  async (t) => {
    const data = temporaryDirectory(t);
    const agent = new Agent({ keepAlive: false, maxSockets: CALLERS });
    closeAfter(t, () => agent.destroy());
    const ask = (url: string, path: string) =>
      new Promise<string>((resolve) => {
        const request = get(`${url}${path}`, { agent }, async (response) =>
          resolve(`${response.statusCode} ${await text(response).catch(() => '')}`),
        );
        request.on('error', () => resolve('cut off'));
      });
    let url = '';
    for (let round = 0; round <= ROUNDS; round++) {
      const isolated = await startIsolated(t, data);
      if (!isolated) return;
      if (round === 0) {
        await isolated.create('burst', SOURCE, { Timeout: 300 });
        url = new URL(await isolated.url('burst')).pathname;
      }
      const here = `${isolated.platform.url}${url}`;
      const served = await Promise.all(Array.from({ length: CALLERS }, () => ask(here, '/serve')));
      assert.deepEqual([...new Set(served)], ['200 "served"']);
      if (round < ROUNDS) await killed(isolated, () => ask(here, '/hold'));
      else assert.equal(await isolated.platform.stop(), 0);
    }
  },
);

async function killed({ platform }: Isolated, hold: () => Promise<string>): Promise<void> {
  const held = Array.from({ length: CALLERS }, hold);
  await eventually(async () => assert.equal(await busy(platform.url), CALLERS));
  // An instance is counted as busy from when it is asked for, before it is a process.
  await eventually(() => {
    const { length } = descendants(platform.process.pid!);
    assert.ok(length >= CALLERS, `${length} processes`);
  });
  const family = descendants(platform.process.pid!);
  assert.equal(await platform.stop('SIGKILL'), 'SIGKILL');
  assert.deepEqual([...new Set(await Promise.all(held))], ['cut off']);
  await eventually(() => assert.deepEqual(family.filter(isAlive), [], 'processes of the killed platform'));
  assert.ok(!readFileSync('/proc/self/mountinfo', 'utf8').includes(platform.data));
  assert.ok(readdirSync(join(platform.data, 'run')).length < CALLERS);
}

async function busy(url: string): Promise<number> {
  const { deployments } = (await (await fetch(`${url}/_hearth/stats`)).json()) as { deployments: { busy: number }[] };
  return deployments.reduce((sum, deployment) => sum + deployment.busy, 0);
}
