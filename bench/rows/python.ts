/** What the other rows measure of Node functions, of functions in Python. */
import type { Answer, Client } from '../client.ts';
import { gather } from '../crowd.ts';
import { furtherTimes } from '../further.ts';
import { createUrl, deploy, invoke, waitUntilActive, withHearth } from '../hearth.ts';
import type { Hearth } from '../hearth.ts';
import { memoryAtRest } from '../machine-memory.ts';
import { median } from '../row.ts';
import type { Row } from '../row.ts';
import { stepsOf } from '../steps.ts';
import { wrk } from '../wrk.ts';

const python = (name: string, source: string, timeoutSeconds = 30) => ({
  name,
  timeoutSeconds,
  runtime: 'python3.11',
  handler: 'index.handler',
  files: [{ path: 'index.py', content: Buffer.from(source), mode: 0o644 }],
});

const WARM = `ANSWER = {'statusCode': 200, 'headers': {'content-type': 'application/json'}, 'body': '{"message":"hello from a function"}'}

def handler(event, context):
    return ANSWER
`;

/** As HOLDING of further.ts. */
const HOLDING = `import time

served = 0

def handler(event, context):
    global served
    served += 1
    time.sleep(event.get('holdMs', 0) / 1000)
    return {'served': served}
`;

/** As `crowdFunction` of crowd.ts. */
const CROWD = `import json
import os
import time

def handler(event, context):
    begun = int(time.time() * 1000)
    me = str(os.getpid())
    if 'key' in event:
        print(json.dumps({'key': event['key'], 'id': me, 'begunMs': begun}))
    time.sleep(max(0, event['untilMs'] - begun) / 1000)
    return {'id': me, 'begunMs': begun}
`;

export const pythonWarm: Row = {
  name: 'python: warm function URL, 64 connections',
  measure: (scale) =>
    withPatientHearth(async (client, hearth) => {
      await deploy(client, hearth, python('warm', WARM));
      await waitUntilActive(client, hearth, 'warm');
      const { url, host } = await createUrl(client, hearth, 'warm');
      const figures: number[] = [];
      for (let round = -1; round < scale.rounds; round++) {
        const { requestsPerSecond } = await wrk({ url, host, connections: 64, seconds: scale.seconds });
        if (round >= 0) figures.push(requestsPerSecond);
      }
      return [{ row: pythonWarm.name, unit: 'requests/s', hearth: median(figures), target: atLeast(8_000), samples: scale.rounds }];
    }),
};

export const pythonFirst: Row = {
  name: 'python: first answer of a newly deployed function, p50',
  measure: (scale) =>
    withPatientHearth(async (client, hearth) => {
      const answers: Answer[] = [];
      // The first two make what comes once: the zygote, connections, compiled code.
      for (let i = -2; i < scale.newFunctions; i++) {
        const name = `new-${i + 2}`;
        const source = `def handler(event, context):\n    return {'served': ${i}}\n`;
        await deploy(client, hearth, python(name, source));
        const answer = await invoke(client, hearth, name, {});
        if (i >= 0) answers.push(answer);
      }
      return [await started(pythonFirst, 15, client, hearth, answers)];
    }),
};

export const pythonFurther: Row = {
  name: 'python: further instance of a running function, p50',
  measure: (scale) =>
    withPatientHearth(async (client, hearth) => {
      await deploy(client, hearth, python('further', HOLDING, 60));
      await waitUntilActive(client, hearth, 'further');
      const answers: Answer[] = [];
      const beside = async (answer: Answer) => void answers.push(answer);
      await furtherTimes({ client, hearth, name: 'further', count: scale.furtherInstances, beside });
      return [await started(pythonFurther, 5, client, hearth, answers)];
    }),
};

export const pythonMemory: Row = {
  name: 'python: memory per idle instance',
  measure: (scale) =>
    withPatientHearth(async (client, hearth) => {
      const count = scale.idleInstances;
      await deploy(client, hearth, python('idle', CROWD, 300));
      await waitUntilActive(client, hearth, 'idle');
      await invoke(client, hearth, 'idle', { untilMs: 0 });
      const beforeKiB = await memoryAtRest();
      await gather({ hearth, name: 'idle', count, holdMs: 3_000 + count * MS_EACH });
      // One instance was there before.
      const perInstanceMiB = (beforeKiB - (await memoryAtRest())) / 1024 / (count - 1);
      return [{ row: pythonMemory.name, unit: 'MiB', hearth: perInstanceMiB, target: atMost(2), samples: count }];
    }),
};

const MS_EACH = 20;
const STOP_MS = 60_000;
const withPatientHearth: typeof withHearth = (use) => withHearth(use, STOP_MS);
const atMost = (limit: number) => ({ of: 'value', bound: 'atMost', limit }) as const;
const atLeast = (limit: number) => ({ of: 'value', bound: 'atLeast', limit }) as const;

async function started(row: Row, limit: number, client: Client, hearth: Hearth, answers: readonly Answer[]) {
  const starts = await stepsOf(client, hearth, answers);
  const times = answers.map(({ ms }) => ms);
  return { row: row.name, unit: 'ms', hearth: median(times), target: atMost(limit), samples: times.length, starts };
}
