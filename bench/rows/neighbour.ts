/** What a function feels while another one attacks the machine: the slowest hundredth of its answers, against the same just before. */
import { ATTACKS, attackSource } from '../attacks.ts';
import type { Attack } from '../attacks.ts';
import { expectStatus, openClient } from '../client.ts';
import type { Client } from '../client.ts';
import { createUrl, deploy, startHearth, tryInvoke, waitUntilActive } from '../hearth.ts';
import type { Hearth } from '../hearth.ts';
import { percentile } from '../row.ts';
import type { Row } from '../row.ts';

export const neighbours: readonly Row[] = ATTACKS.map(duringAttack);

const SOURCE = `export const handler = async () => 'unharmed';\n`;
/** Lambda's default: what ends most of the attacks. */
const TIMEOUT_SECONDS = 3;
/** The neighbour is called this often, over one connection. */
const EVERY_MS = 5;
/** For the attack to be under way. */
const BEGINNING_MS = 500;

function duringAttack(attack: Attack): Row {
  const name = `p99 of a neighbour during ${attack.name}`;
  return {
    name,
    async measure({ neighbourSeconds }) {
      const hearth = await startHearth();
      const client = openClient();
      try {
        await deploy(client, hearth, { name: 'neighbour', source: SOURCE });
        await deploy(client, hearth, { name: 'attacker', source: attackSource(attack), timeoutSeconds: TIMEOUT_SECONDS });
        for (const function_ of ['neighbour', 'attacker']) await waitUntilActive(client, hearth, function_);
        const { url, host } = await createUrl(client, hearth, 'neighbour');
        const ask = () => client.call({ url, headers: { host } });
        const quiet = await steadily(ask, neighbourSeconds);
        const stop = underAttack(hearth, attack.instances);
        await new Promise((resolve) => setTimeout(resolve, BEGINNING_MS));
        const attacked = await steadily(ask, neighbourSeconds);
        stop();
        return [
          {
            row: name,
            unit: 'ms',
            hearth: percentile(attacked, 99),
            peer: { name: 'quiet', value: percentile(quiet, 99) },
            target: { of: 'ratio', bound: 'atMost', limit: 2 },
            samples: attacked.length,
          },
        ];
      } finally {
        client.close();
        await hearth.stop();
      }
    },
  };
}

/** Milliseconds of each answer. A call that is late doesn't put off the next, unless it is later than that. */
async function steadily(ask: () => ReturnType<Client['call']>, seconds: number): Promise<number[]> {
  const times: number[] = [];
  const endMs = performance.now() + seconds * 1_000;
  for (let dueMs = performance.now(); dueMs < endMs; dueMs = Math.max(dueMs + EVERY_MS, performance.now())) {
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, dueMs - performance.now())));
    const answer = expectStatus(await ask(), 'the neighbour', 200);
    times.push(answer.ms);
  }
  return times;
}

/** Begins the attack anew in each instance whenever it has ended. Returns how to stop that. */
function underAttack(hearth: Hearth, instances: number): () => void {
  const client = openClient();
  const stopping = new AbortController();
  const again = async () => {
    while (!stopping.signal.aborted) {
      // However it ends; a connection that ends with the client too.
      await tryInvoke(client, hearth, 'attacker', {}).catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    }
  };
  for (let i = 0; i < instances; i++) void again();
  return () => {
    stopping.abort();
    client.close();
  };
}
