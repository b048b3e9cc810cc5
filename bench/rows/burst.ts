/** From nothing to many at once: calls of a function without any instance, each of which waits for the last, so that each needs an instance of its own. */
import { openClient } from '../client.ts';
import { crowdFunction, gather, lastBeganMs } from '../crowd.ts';
import type { Client } from '../client.ts';
import { deploy, remove, startHearth, waitUntilActive } from '../hearth.ts';
import type { Hearth } from '../hearth.ts';
import { memoryAtRest } from '../machine-memory.ts';
import { median } from '../row.ts';
import type { Row } from '../row.ts';

export const burstFromZero: Row = {
  name: 'new instances of one function, all asked for at once',
  async measure(scale) {
    const rates: number[] = [];
    const hearth = await startHearth();
    const client = openClient();
    try {
      for (let round = 0; round < scale.bursts; round++) {
        rates.push(await burst({ hearth, client, name: `burst-${round}`, count: scale.crowdInstances }));
      }
    } finally {
      client.close();
      await hearth.stop();
    }
    return [
      {
        row: this.name,
        unit: 'instances/s',
        hearth: median(rates),
        target: { of: 'value', bound: 'atLeast', limit: 400 },
        samples: scale.crowdInstances * scale.bursts,
      },
    ];
  },
};

type Burst = { readonly hearth: Hearth; readonly client: Client; readonly name: string; readonly count: number };

/** Of a new function, which is gone afterwards with all its instances. From the first request to the last handler's beginning. Throws when a call fails. */
async function burst({ hearth, client, name, count }: Burst): Promise<number> {
  await deploy(client, hearth, { name, source: crowdFunction() });
  await waitUntilActive(client, hearth, name);
  const crowd = await gather({ hearth, name, count, holdMs: 2_000 + count * 10 });
  await remove(client, hearth, name);
  await memoryAtRest();
  return count / (lastBeganMs(crowd) / 1_000);
}
