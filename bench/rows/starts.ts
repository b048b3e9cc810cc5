/** Starts: the first answer of new code, and a further instance of running code, against workerd's dynamic isolates. */
import { expectStatus, openClient } from '../client.ts';
import type { Answer, Client } from '../client.ts';
import { deploy, invoke, startHearth, waitUntilActive } from '../hearth.ts';
import type { Hearth } from '../hearth.ts';
import { startWorkerd } from '../peers/workerd.ts';
import type { Workerd } from '../peers/workerd.ts';
import { HOLDING, furtherTimes } from '../further.ts';
import { median } from '../row.ts';
import type { Row } from '../row.ts';
import { stepsOf } from '../steps.ts';
import type { StartSteps } from '../steps.ts';

const BODY = '{"served":1}';

/** Each function has code of its own, is deployed, and invoked as soon as the API has answered. */
export const firstAnswer: Row = {
  name: 'first answer of a newly deployed function, p50',
  measure: (scale) =>
    withPeer(async (client, hearth, workerd) => {
      const ours: Answer[] = [];
      const theirs: number[] = [];
      // The first two make what comes once per server: the zygote of the memory class, connections, compiled code.
      for (let i = -2; i < scale.newFunctions; i++) {
        const name = `new-${i + 2}`;
        await deploy(client, hearth, { name, source: `// ${name}\nexport const handler = async () => (${BODY});\n` });
        const answer = await invoke(client, hearth, name, {});
        const isolate = await askIsolate(client, workerd);
        if (i < 0) continue;
        ours.push(answer);
        theirs.push(isolate.ms);
      }
      return [finding(firstAnswer.name, timesOf(ours), theirs, 1.2, await stepsOf(client, hearth, ours))];
    }),
};

export const furtherInstance: Row = {
  name: 'further instance of a running function, p50',
  measure: (scale) =>
    withPeer(async (client, hearth, workerd) => {
      await deploy(client, hearth, { name: 'further', timeoutSeconds: 60, source: HOLDING });
      await waitUntilActive(client, hearth, 'further');
      const theirs: number[] = [];
      const answers: Answer[] = [];
      const ask = async (answer: Answer) => {
        answers.push(answer);
        theirs.push((await askIsolate(client, workerd)).ms);
      };
      const ours = await furtherTimes({ client, hearth, name: 'further', count: scale.furtherInstances, beside: ask });
      return [finding(furtherInstance.name, ours, theirs, 0.45, await stepsOf(client, hearth, answers))];
    }),
};

async function withPeer<T>(use: (client: Client, hearth: Hearth, workerd: Workerd) => Promise<T>): Promise<T> {
  const answer: Answer = { status: 200, headers: ['content-type', 'application/json'], body: Buffer.from(BODY), ms: 0 };
  const [hearth, workerd] = await Promise.all([startHearth(), startWorkerd(answer)]);
  const client = openClient();
  try {
    return await use(client, hearth, workerd);
  } finally {
    client.close();
    await Promise.all([hearth.stop(), workerd.stop()]);
  }
}

async function askIsolate(client: Client, workerd: Workerd): Promise<Answer> {
  const answer = expectStatus(await client.call({ url: workerd.dynamicUrl }), 'workerd', 200);
  if (answer.body.toString() !== BODY) throw new Error(`workerd answered ${answer.body.toString()}`);
  return answer;
}

const timesOf = (answers: readonly Answer[]): number[] => answers.map(({ ms }) => ms);

function finding(row: string, ours: readonly number[], theirs: readonly number[], limit: number, starts: readonly StartSteps[]) {
  return {
    row,
    unit: 'ms',
    hearth: median(ours),
    peer: { name: 'workerd dynamic isolate', value: median(theirs) },
    target: { of: 'ratio', bound: 'atMost', limit },
    samples: ours.length,
    starts,
  } as const;
}
