/** Starts of a custom runtime: a C program that speaks the Lambda Runtime API itself. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { removeDirectory, temporaryDirectory } from '../children.ts';
import { openClient } from '../client.ts';
import type { Answer, Client } from '../client.ts';
import { furtherTimes } from '../further.ts';
import { deploy, invoke, startHearth, waitUntilActive } from '../hearth.ts';
import type { Hearth, NewFunction } from '../hearth.ts';
import { median } from '../row.ts';
import type { Finding, Row } from '../row.ts';
import { stepsOf } from '../steps.ts';
import type { StartSteps } from '../steps.ts';

const ROOT = join(import.meta.dirname, '../..');
const SOURCES = ['examples/custom-runtime-c/bootstrap.c', 'bench/programs/hold.c'];

export const customFirstAnswer: Row = {
  name: 'custom runtime, C program: first answer, p50',
  measure: (scale) =>
    withProgram(async (client, hearth, program) => {
      const answers: Answer[] = [];
      // The first ones make what comes once per server.
      for (let i = -2; i < scale.newFunctions; i++) {
        const name = `program-${i + 2}`;
        await deploy(client, hearth, functionOf(name, program));
        const answer = await invoke(client, hearth, name, {});
        if (i >= 0) answers.push(answer);
      }
      const times = answers.map(({ ms }) => ms);
      return [finding(customFirstAnswer.name, times, 12, await stepsOf(client, hearth, answers))];
    }),
};

export const customFurtherInstance: Row = {
  name: 'custom runtime, C program: further instance, p50',
  measure: (scale) =>
    withProgram(async (client, hearth, program) => {
      await deploy(client, hearth, { ...functionOf('further', program), timeoutSeconds: 60 });
      await waitUntilActive(client, hearth, 'further');
      const answers: Answer[] = [];
      const beside = async (answer: Answer) => void answers.push(answer);
      const times = await furtherTimes({ client, hearth, name: 'further', count: scale.furtherInstances, beside });
      return [finding(customFurtherInstance.name, times, 10, await stepsOf(client, hearth, answers))];
    }),
};

/** Each with code of its own. */
const functionOf = (name: string, program: Buffer): NewFunction => ({
  name,
  runtime: 'provided.al2023',
  files: [
    { path: 'bootstrap', content: program, mode: 0o755 },
    { path: 'name', content: Buffer.from(name), mode: 0o644 },
  ],
});

async function withProgram<T>(use: (client: Client, hearth: Hearth, program: Buffer) => Promise<T>): Promise<T> {
  const directory = await temporaryDirectory();
  const client = openClient();
  try {
    const path = join(directory, 'bootstrap');
    const sources = SOURCES.map((source) => join(ROOT, source));
    await promisify(execFile)('cc', ['-O2', '-static', '-I', join(ROOT, 'examples/custom-runtime-c'), '-o', path, ...sources]);
    const program = await readFile(path);
    const hearth = await startHearth();
    try {
      return await use(client, hearth, program);
    } finally {
      await hearth.stop();
    }
  } finally {
    client.close();
    await removeDirectory(directory);
  }
}

const finding = (row: string, times: readonly number[], limit: number, starts: readonly StartSteps[]): Finding => ({
  row,
  unit: 'ms',
  hearth: median(times),
  target: { of: 'value', bound: 'atMost', limit },
  samples: times.length,
  starts,
});
