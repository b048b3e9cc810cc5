/** From nothing to many at once: calls of a function without any instance, each of which takes a second, so that each needs an instance of its own. */
import { openClient } from '../client.ts';
import { crowdFunction, gather, lastBeganMs } from '../crowd.ts';
import { deploy, startHearth, waitUntilActive } from '../hearth.ts';
import { median } from '../row.ts';
import type { Row } from '../row.ts';

export const burstFromZero: Row = {
  name: 'new instances of one function, all asked for at once',
  async measure(scale) {
    const rates: number[] = [];
    for (let round = 0; round < scale.bursts; round++) rates.push(await burst(scale.crowdInstances));
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

/** From the first request to the last handler's beginning. Throws when a call fails. */
async function burst(count: number): Promise<number> {
  const hearth = await startHearth();
  const client = openClient();
  try {
    await deploy(client, hearth, { name: 'burst', source: crowdFunction() });
    await waitUntilActive(client, hearth, 'burst');
    const crowd = await gather({ hearth, name: 'burst', count, holdMs: 2_000 + count * 10 });
    return count / (lastBeganMs(crowd) / 1_000);
  } finally {
    client.close();
    await hearth.stop();
  }
}
