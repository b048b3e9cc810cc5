/** Load that comes at once, and load that comes and goes: what its callers wait for, and how many instances are made of it. */
import type { Client } from '../client.ts';
import { createUrl, deploy, remove, waitUntilActive, withHearth } from '../hearth.ts';
import type { Hearth } from '../hearth.ts';
import { memoryAtRest } from '../machine-memory.ts';
import { median, percentile } from '../row.ts';
import type { Finding, Row } from '../row.ts';
import { mostInstances, waves } from '../waves.ts';

/** Above what is needed. */
const EXCESS = 1.2;

/** Answers its first byte at once, and is at work for so long that each caller needs an instance. */
const HOLDING = `export const handler = awslambda.streamifyResponse(async (event, stream) => {
  stream.write('x');
  await new Promise((resolve) => setTimeout(resolve, 3000));
  stream.end('y');
});
`;

/** From no instance to as many as there are callers, all of whom ask at once. */
export const flood: Row = {
  name: 'last first byte of many callers at once, from no instance',
  async measure(scale) {
    const lastMs: number[] = [];
    let most = 0;
    await withHearth(async (client, hearth) => {
      for (let round = 0; round < scale.bursts; round++) {
        const found = await floodOnce(client, hearth, `flood-${round}`, scale.crowdInstances);
        lastMs.push(found.lastMs);
        most = Math.max(most, found.most);
      }
    });
    const samples = scale.crowdInstances * scale.bursts;
    return [
      { row: this.name, unit: 'ms', hearth: median(lastMs), target: { of: 'value', bound: 'atMost', limit: 1_500 }, samples },
      instancesOf(`${this.name}: instances for each caller`, most / scale.crowdInstances, samples),
    ];
  },
};

async function floodOnce(client: Client, hearth: Hearth, name: string, callers: number) {
  await deploy(client, hearth, { name, source: HOLDING });
  await waitUntilActive(client, hearth, name);
  const { url, host } = await createUrl(client, hearth, name, 'RESPONSE_STREAM');
  const { result, most } = await mostInstances(client, hearth, name, () =>
    waves({ url, host, levels: [{ callers, seconds: 0 }], once: true }),
  );
  await remove(client, hearth, name);
  await memoryAtRest();
  return { lastMs: Math.max(...result[0]!.firstByteMs), most };
}

/** As one that waits for something else most of its time. */
const WAITING = `export const handler = async () => {
  await new Promise((resolve) => setTimeout(resolve, 100));
  return 'done';
};
`;
const FEW = 10;
const MANY = 200;

/** The slowest hundredth of answers while load jumps up and down, against that of the same many callers when they have been there for long. */
export const squareWave: Row = {
  name: `p99 of a square wave of ${FEW} and ${MANY} callers`,
  measure: (scale) =>
    withHearth(async (client, hearth) => {
      await deploy(client, hearth, { name: 'wave', source: WAITING });
      await waitUntilActive(client, hearth, 'wave');
      const { url, host } = await createUrl(client, hearth, 'wave');
      const few = { callers: FEW, seconds: scale.waveSeconds };
      const many = { callers: MANY, seconds: scale.waveSeconds };
      const levels = [few, many, few, many, few, many];
      const { result, most } = await mostInstances(client, hearth, 'wave', () => waves({ url, host, levels, once: false }));
      const [steady] = (await waves({ url, host, levels: [many], once: false })) as [(typeof result)[number]];
      const all = result.flatMap(({ firstByteMs }) => firstByteMs);
      const p99: Finding = {
        row: squareWave.name,
        unit: 'ms',
        hearth: percentile(all, 99),
        peer: { name: 'steady', value: percentile(steady.firstByteMs, 99) },
        target: { of: 'ratio', bound: 'atMost', limit: 3 },
        samples: all.length,
      };
      const slowest: Finding = {
        row: `${squareWave.name}: slowest`,
        unit: 'ms',
        hearth: Math.max(...result.map(({ firstByteMs }) => firstByteMs.reduce((a, b) => Math.max(a, b), 0))),
        target: { of: 'value', bound: 'atMost', limit: 1_500 },
        samples: all.length,
      };
      return [p99, slowest, instancesOf(`${squareWave.name}: instances for each caller`, most / MANY, all.length)];
    }),
};

function instancesOf(row: string, ratio: number, samples: number): Finding {
  return { row, unit: 'instances', hearth: ratio, target: { of: 'value', bound: 'atMost', limit: EXCESS }, samples };
}
