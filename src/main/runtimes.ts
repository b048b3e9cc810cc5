/** What of the runtimes this machine can run, and what their starts cost here. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { SUPPORTED_RUNTIMES, asHearthError, runtimeFamily, silentLog, systemClock } from '../kernel/mod.ts';
import type { Instance, Sandboxes, SandboxSpec } from '../ports/mod.ts';
import { openSandboxes } from './drivers.ts';
import { SAMPLES } from './runtime-samples.ts';
import type { Sample, SampleName } from './runtime-samples.ts';

export type RuntimeReport = {
  readonly name: SampleName;
  /** As the Lambda API calls it: a runtime, or a package type. */
  readonly identifiers: readonly string[];
  readonly available: boolean;
  readonly version?: string;
  readonly missing?: string;
  readonly remedy?: string;
  /** Milliseconds, medians: from new code to its first answer, of a further instance, and of a warm one. */
  readonly firstMs?: number;
  readonly furtherMs?: number;
  readonly warmMs?: number;
};

export type Survey = { readonly driver: Sandboxes['driver']; readonly isolated: boolean; readonly runtimes: readonly RuntimeReport[] };

const ROUNDS = 5;
const LIMIT_MS = 20_000;

/** Runs a smallest function of each, by sandboxes of its own: nothing of a running Hearth is touched. */
export async function surveyRuntimes(): Promise<Survey> {
  const directory = await mkdtemp(join(tmpdir(), 'hearth-runtimes-'));
  const packages = join(directory, 'code');
  try {
    await mkdir(packages);
    const { sandboxes } = await openSandboxes({
      driver: 'auto',
      directory: join(directory, 'run'),
      packages,
      instances: 100,
      clock: systemClock,
      log: silentLog,
      connected: (connection) => void connection.destroy(),
    });
    try {
      const runtimes: RuntimeReport[] = [];
      for (const name of Object.keys(SAMPLES) as SampleName[]) runtimes.push(await survey(name, sandboxes, packages));
      return { driver: sandboxes.driver, isolated: sandboxes.isolated, runtimes };
    } finally {
      await sandboxes.close();
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function survey(name: SampleName, sandboxes: Sandboxes, packages: string): Promise<RuntimeReport> {
  const identifiers = name === 'image' ? ['Image'] : SUPPORTED_RUNTIMES.filter((identifier) => runtimeFamily(identifier) === name);
  const sample = SAMPLES[name];
  const found = await sample.look(sandboxes.isolated);
  if ('missing' in found) return { name, identifiers, available: false, ...found };
  try {
    const runtime = name === 'image' ? 'provided' : identifiers[0]!;
    const times = await measure(sandboxes, join(packages, name), runtime, sample);
    return { name, identifiers, available: true, ...found, ...times };
  } catch (thrown) {
    const remedy = 'See "hearth doctor"; if it finds nothing, this message says where it broke.';
    return { name, identifiers, available: false, missing: asHearthError(thrown).message, remedy };
  }
}

type Times = Required<Pick<RuntimeReport, 'firstMs' | 'furtherMs' | 'warmMs'>>;

async function measure(sandboxes: Sandboxes, packages: string, runtime: string, sample: Sample): Promise<Times> {
  const first: number[] = [];
  const further: number[] = [];
  const warm: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const codeDirectory = join(packages, String(round));
    await writeSample(codeDirectory, sample);
    const startedMs = performance.now();
    const booted = await sandboxes.boot(specOf(runtime, codeDirectory, sample), { log() {} });
    if (!booted.ok) throw new Error(`a first function did not come up: ${JSON.stringify(booted.failure)}`);
    const one = booted.template.fork();
    await answer(one);
    first.push(performance.now() - startedMs);
    warm.push(await timed(() => answer(one)));
    let other: Instance | undefined;
    further.push(await timed(() => answer((other = booted.template.fork()))));
    one.kill();
    other?.kill();
    booted.template.close();
  }
  return { firstMs: median(first), furtherMs: median(further), warmMs: median(warm) };
}

async function writeSample(directory: string, { files }: Sample): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o755 });
  for (const { path, content, mode = 0o644 } of typeof files === 'function' ? await files() : files) {
    await mkdir(dirname(join(directory, path)), { recursive: true, mode: 0o755 });
    await writeFile(join(directory, path), content, { mode });
  }
}

const specOf = (runtime: string, codeDirectory: string, { handler, command }: Sample): SandboxSpec => ({
  label: 'survey',
  runtime,
  handler,
  codeDirectory,
  layerDirectories: [],
  environment: { PATH: '/usr/local/bin:/usr/bin:/bin' },
  memoryMiB: 256,
  tmpMiB: 512,
  initTimeoutMs: LIMIT_MS,
  concurrency: 1,
  ...(command && { image: { command, workingDirectory: '/' } }),
});

function answer(instance: Instance): Promise<void> {
  return new Promise((resolve, reject) => {
    const head = { id: '00000000-0000-4000-8000-000000000000', deadlineMs: systemClock.now() + LIMIT_MS, arn: 'survey' };
    const late = setTimeout(() => instance.kill(), LIMIT_MS);
    instance.invoke(head, '{}', {
      log() {},
      streamHead() {},
      streamChunk() {},
      end(end) {
        clearTimeout(late);
        if (end.kind === 'answered') resolve();
        else reject(new Error(`a first function did not answer: ${JSON.stringify(end)}`));
      },
    });
  });
}

async function timed(run: () => Promise<void>): Promise<number> {
  const startedMs = performance.now();
  await run();
  return performance.now() - startedMs;
}

const median = (values: readonly number[]): number => Math.round(values.toSorted((a, b) => a - b)[values.length >> 1]! * 100) / 100;
