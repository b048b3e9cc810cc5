/** Functions whose init is long or large: a further instance takes as long as one of any other function, and little memory. */
import { writeFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { firstLine, removeDirectory, startChild, stopChild, temporaryDirectory } from '../children.ts';
import { openClient } from '../client.ts';
import type { Client } from '../client.ts';
import { gather } from '../crowd.ts';
import { furtherTimes, HOLDING } from '../further.ts';
import { deploy, invoke, startHearth } from '../hearth.ts';
import type { Hearth } from '../hearth.ts';
import { memoryAtRest } from '../machine-memory.ts';
import { median } from '../row.ts';
import type { Finding, Row, Scale } from '../row.ts';
import { bundleSdkFunction } from '../sdk-function.ts';

const MOST_MS = 12;
const MOST_SHARE = 0.12;

export const afterLongInit: Row = {
  name: 'further instance after an init of 4.2 s, p50',
  measure: (scale) =>
    withFunction(`const end = performance.now() + 4_200;\nwhile (performance.now() < end);\n${HOLDING}`, async (client, hearth) => [
      await further(afterLongInit.name, client, hearth, scale),
    ]),
};

export const afterLargeInit: Row = {
  name: 'further instance with AWS SDK, Express and zod (1.8 MB)',
  async measure(scale) {
    const source = await bundleSdkFunction();
    return await withFunction(source, async (client, hearth) => {
      // First, while there is one instance.
      const memory = await memoryShare(this.name, hearth, source, scale);
      return [await further(`${this.name}, p50`, client, hearth, scale), memory];
    });
  },
};

/** A server of its own for a function that has answered once. */
async function withFunction<T>(source: string, use: (client: Client, hearth: Hearth) => Promise<T>): Promise<T> {
  const hearth = await startHearth();
  const client = openClient();
  try {
    await deploy(client, hearth, { name: 'heavy', timeoutSeconds: 60, source });
    await invoke(client, hearth, 'heavy', {});
    return await use(client, hearth);
  } finally {
    client.close();
    await hearth.stop();
  }
}

async function further(row: string, client: Client, hearth: Hearth, { furtherInstances }: Scale): Promise<Finding> {
  const times = await furtherTimes({ client, hearth, name: 'heavy', count: furtherInstances });
  return { row, unit: 'ms', hearth: median(times), target: { of: 'value', bound: 'atMost', limit: MOST_MS }, samples: times.length };
}

/** What an instance takes of the machine's memory, that of the host for it included, as a share of what Node takes for itself after the same init. */
async function memoryShare(row: string, hearth: Hearth, source: string, { crowdInstances: count }: Scale): Promise<Finding> {
  const before = await memoryAtRest();
  await gather({ hearth, name: 'heavy', count, holdMs: 3_000 + count * 20 });
  const after = await memoryAtRest();
  return {
    row: `${row}, memory of each`,
    unit: 'MiB',
    // One was there before.
    hearth: (before - after) / 1024 / (count - 1),
    peer: { name: 'node after the same init, PSS', value: await nodeAfterInitMiB(source) },
    target: { of: 'ratio', bound: 'atMost', limit: MOST_SHARE },
    samples: count,
  };
}

/** The proportional set size: pages that it shares with other processes count as its part of them only. */
async function nodeAfterInitMiB(source: string): Promise<number> {
  const directory = await temporaryDirectory();
  await writeFile(join(directory, 'index.mjs'), `${source}\nsetInterval(() => {}, 1_000);\nconsole.log('ready');\n`);
  const child = startChild(process.execPath, [join(directory, 'index.mjs')]);
  try {
    await firstLine(child, 'node with the same init', (line) => (line === 'ready' ? true : undefined));
    const rollup = await readFile(`/proc/${child.pid}/smaps_rollup`, 'latin1');
    return Number(/^Pss: +(\d+) kB$/m.exec(rollup)?.[1]) / 1024;
  } finally {
    await stopChild(child);
    await removeDirectory(directory);
  }
}
