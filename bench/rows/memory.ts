/** What an idle instance costs the machine: available memory before and after many instances of one function. */
import { openClient } from '../client.ts';
import { CROWDED, gather, lastBeganMs } from '../crowd.ts';
import type { Crowd } from '../crowd.ts';
import { deploy, invoke, startHearth, waitUntilActive } from '../hearth.ts';
import type { Hearth } from '../hearth.ts';
import { availableKiB, memoryAtRest } from '../machine-memory.ts';
import type { Row } from '../row.ts';

export const memoryPerInstance: Row = {
  name: 'memory per idle instance',
  async measure(scale) {
    const { perInstanceMiB, count } = await manyIdle(scale.idleInstances, SELF_AWARE);
    return [{ row: this.name, unit: 'MiB', hearth: perInstanceMiB, target: { of: 'value', bound: 'atMost', limit: 2.5 }, samples: count }];
  },
};

/** As many as 24 GiB are to hold. Afterwards all of them answer at once, each for itself: none was put by in a way that it can't come back from. */
export const tenThousandIdle: Row = {
  name: '10,000 idle instances of one function',
  async measure(scale) {
    const { perInstanceMiB, count, answering } = await manyIdle(scale.manyInstances, CROWDED);
    return [
      {
        row: `${this.name}, memory of each`,
        unit: 'MiB',
        hearth: perInstanceMiB,
        target: { of: 'value', bound: 'atMost', limit: 2 },
        samples: count,
      },
      {
        row: `${this.name}, still answering`,
        unit: 'instances',
        hearth: answering,
        target: { of: 'value', bound: 'atLeast', limit: count },
        samples: count,
      },
    ];
  },
};

/** What the machine must have free beyond that, so that the row measures instances and not the lack of memory. */
const SPARE_MIB = 1_024;
const EXPECTED_MIB = 2.2;

async function manyIdle(count: number, source: string) {
  const wantedMiB = count * EXPECTED_MIB + SPARE_MIB;
  const freeMiB = (await availableKiB()) / 1024;
  if (freeMiB < wantedMiB) throw new Error(`${count} instances need about ${Math.ceil(wantedMiB)} MiB, ${Math.floor(freeMiB)} are free`);
  const hearth = await startHearth({ concurrency: Math.max(1_000, count) });
  const client = openClient();
  try {
    await deploy(client, hearth, { name: 'idle', timeoutSeconds: 300, source });
    await waitUntilActive(client, hearth, 'idle');
    await invoke(client, hearth, 'idle', { untilMs: 0 });
    const beforeKiB = await memoryAtRest();
    const made = await makeMany(hearth, count);
    const afterKiB = await memoryAtRest();
    const again = await gather({ hearth, name: 'idle', count, holdMs: 3_000 + count });
    say('the same once more', lastBeganMs(again));
    const before = new Set(made.ids);
    // One instance was there before.
    const perInstanceMiB = (beforeKiB - afterKiB) / 1024 / (count - 1);
    return { perInstanceMiB, count, answering: again.ids.filter((id) => before.has(id)).length };
  } finally {
    client.close();
    await hearth.stop();
  }
}

/** All at once; a few of them before tell how long that takes, and so how long the first must be held for the last to be there too. */
async function makeMany(hearth: Hearth, count: number): Promise<Crowd> {
  const few = Math.ceil(count / 20);
  const fewMs = lastBeganMs(await gather({ hearth, name: 'idle', count: few, holdMs: 3_000 + few * MOST_MS_EACH }));
  const eachMs = Math.min(MOST_MS_EACH, (2 * fewMs) / few);
  const made = await gather({ hearth, name: 'idle', count, holdMs: 3_000 + count * eachMs });
  say(`${count} instances`, lastBeganMs(made));
  return made;
}

const MOST_MS_EACH = 20;

function say(what: string, lastMs: number): void {
  console.error(`  ${what}: the last began after ${(lastMs / 1000).toFixed(1)} s`);
}

/** A function of which an instance knows itself by what it made at its first invocation. */
const SELF_AWARE = `import { randomUUID } from 'node:crypto';
let id;
export const handler = async (event) => {
  const begunMs = Date.now();
  id ??= randomUUID();
  await new Promise((resolve) => setTimeout(resolve, event.untilMs - begunMs));
  return { id, begunMs };
};
`;
