/** What an idle instance costs the machine: available memory before and after many instances of one function. */
import { openClient } from '../client.ts';
import { crowdFunction, gather, lastBeganMs } from '../crowd.ts';
import type { Crowd } from '../crowd.ts';
import { deploy, invoke, startHearth, waitUntilActive } from '../hearth.ts';
import { availableKiB, memoryAtRest } from '../machine-memory.ts';
import type { Row } from '../row.ts';

export const memoryPerInstance: Row = {
  name: 'memory per idle instance',
  async measure(scale) {
    const { perInstanceMiB, count } = await manyIdle({
      count: scale.idleInstances,
      source: crowdFunction('crypto.randomUUID()'),
      connections: scale.idleInstances,
    });
    return [{ row: this.name, unit: 'MiB', hearth: perInstanceMiB, target: { of: 'value', bound: 'atMost', limit: 2.5 }, samples: count }];
  },
};

/** What a function keeps while nobody calls it: its keeper, its template, and the instance that was called last. */
export const memoryPerFunction: Row = {
  name: 'memory per function at rest',
  async measure({ newFunctions }) {
    const hearth = await startHearth();
    const client = openClient();
    const add = async (name: string) => {
      await deploy(client, hearth, { name, source: crowdFunction() });
      await waitUntilActive(client, hearth, name);
      await invoke(client, hearth, name, { untilMs: 0 });
    };
    try {
      // Two sandboxes are made ahead when functions come in a row.
      for (const name of ['first', 'second']) await add(name);
      const beforeKiB = await memoryAtRest();
      for (let i = 0; i < newFunctions; i++) await add(`rests-${i}`);
      const perFunctionMiB = (beforeKiB - (await memoryAtRest())) / 1024 / newFunctions;
      return [
        { row: this.name, unit: 'MiB', hearth: perFunctionMiB, target: { of: 'value', bound: 'atMost', limit: 8 }, samples: newFunctions },
      ];
    } finally {
      client.close();
      await hearth.stop();
    }
  },
};

/** A host with 20,000 open files at most has none for 10,000 callers beside its instances. */
const CONNECTIONS = 500;

/** As many as 24 GiB are to hold. Afterwards all of them answer at once, each for itself: none was put by in a way that it can't come back from. */
export const tenThousandIdle: Row = {
  name: '10,000 idle instances of one function',
  async measure(scale) {
    const { perInstanceMiB, count, answering } = await manyIdle({
      count: scale.manyInstances,
      source: crowdFunction(),
      connections: CONNECTIONS,
    });
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
const EXPECTED_MIB = 2;

async function manyIdle(options: { readonly count: number; readonly source: string; readonly connections: number }) {
  const { count, source, connections } = options;
  const wantedMiB = count * EXPECTED_MIB + SPARE_MIB;
  const freeMiB = (await availableKiB()) / 1024;
  if (freeMiB < wantedMiB) throw new Error(`${count} instances need about ${Math.ceil(wantedMiB)} MiB, ${Math.floor(freeMiB)} are free`);
  const hearth = await startHearth({ concurrency: Math.max(1_000, count) });
  const client = openClient();
  const crowd = (size: number, holdMs: number) => gather({ hearth, name: 'idle', count: size, connections, holdMs });
  try {
    await deploy(client, hearth, { name: 'idle', timeoutSeconds: 300, source });
    await waitUntilActive(client, hearth, 'idle');
    await invoke(client, hearth, 'idle', { untilMs: 0 });
    const beforeKiB = await memoryAtRest();
    const made = await makeMany(count, crowd);
    const afterKiB = await memoryAtRest();
    const again = await crowd(count, 3_000 + count * AGAIN_MS_EACH);
    say('the same once more', lastBeganMs(again));
    const before = new Set(made.ids);
    // One instance was there before.
    const perInstanceMiB = (beforeKiB - afterKiB) / 1024 / (count - 1);
    return { perInstanceMiB, count, answering: again.ids.filter((id) => before.has(id)).length };
  } finally {
    client.close();
    const stoppedMs = performance.now();
    await hearth.stop(STOP_MS);
    say('all ended', performance.now() - stoppedMs);
  }
}

/** All at once; a few of them before tell how long that takes, and so how long the first must be held for the last to be there too. */
async function makeMany(count: number, crowd: (size: number, holdMs: number) => Promise<Crowd>): Promise<Crowd> {
  const few = Math.ceil(count / 20);
  const fewMs = lastBeganMs(await crowd(few, 3_000 + few * MOST_MS_EACH));
  const eachMs = Math.min(MOST_MS_EACH, (SLOWER * fewMs) / few);
  const made = await crowd(count, 3_000 + count * eachMs);
  say(`${count} instances`, lastBeganMs(made));
  return made;
}

const MOST_MS_EACH = 20;
/** Where there are thousands already, the next takes so much longer than one of the first. */
const SLOWER = 4;
/** For one that is there, and has long been at rest. */
const AGAIN_MS_EACH = 5;
const STOP_MS = 180_000;

function say(what: string, lastMs: number): void {
  console.error(`  ${what}: after ${(lastMs / 1000).toFixed(1)} s`);
}
