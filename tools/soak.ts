/**
 * npm run soak                                        what grows over many invocations, and over many forks; seconds
 * npm run soak -- --calls 1000000 --forks 100000      the same for as long as it takes
 *
 * Runs one function in real sandboxes: so many invocations on one instance, then so many instances forked from one template, each invoked
 * once and ended, a few at a time. What the processes hold is read from /proc on the way; of the second half of the readings a line is
 * fitted, and its slope is the growth.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { LinuxSandboxes } from '../src/adapters/linux/mod.ts';
import type { Instance, Template } from '../src/ports/mod.ts';
import { collectGarbage, familyOf, readHolding } from './soak-holdings.ts';
import type { Family, Holding } from './soak-holdings.ts';

const SAMPLES = 40;
const AT_ONCE = 4;
const PER = { calls: 1_000_000, forks: 100_000 } as const;
const SOURCE = `export const handler = async (event) => ({ statusCode: 200, headers: { 'content-type': 'text/plain' }, body: 'Hello ' + event.name });`;

const HEAD = { id: '8a2b1c3d-0000-4000-8000-000000000000', arn: 'arn:aws:lambda:us-east-1:000000000000:function:soak' };
const EVENT = Buffer.from('{"name":"Ada"}');

type Soak = keyof typeof PER;
type Series = { readonly done: number[]; readonly holdings: Holding[] };

const { values } = parseArgs({
  options: { calls: { type: 'string', default: '100000' }, forks: { type: 'string', default: '2000' } },
});

await withTemplate(async (template) => {
  await soakCalls(template, Number(values.calls));
  await soakForks(template, Number(values.forks));
});

async function soakCalls(template: Template, count: number): Promise<void> {
  const instance = template.fork();
  await invoke(instance);
  const family = familyOf(process.pid);
  await soak('calls', count, family, async (from, to) => {
    for (let i = from; i < to; i++) await invoke(instance);
  });
  instance.kill();
  await instance.closed;
}

async function soakForks(template: Template, count: number): Promise<void> {
  // It stays: by its child the template is told from that of a blank sandbox.
  const first = template.fork();
  await invoke(first);
  const { instance: _, ...family } = familyOf(process.pid);
  await soak('forks', count, family, async (from, to) => {
    let next = from;
    const live = async () => {
      while (next++ < to) {
        const instance = template.fork();
        await invoke(instance);
        instance.kill();
        await instance.closed;
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, live));
  });
  first.kill();
}

async function soak(what: Soak, count: number, family: Family, run: (from: number, to: number) => Promise<void>): Promise<void> {
  if (count === 0) return;
  const series: Series = { done: [], holdings: [] };
  const startedMs = performance.now();
  for (let sample = 0; sample <= SAMPLES; sample++) {
    const from = Math.round((count * Math.max(sample - 1, 0)) / SAMPLES);
    const to = Math.round((count * sample) / SAMPLES);
    await run(from, to);
    collectGarbage();
    series.done.push(to);
    series.holdings.push(readHolding(family));
  }
  const seconds = (performance.now() - startedMs) / 1000;
  console.log(`\n${count.toLocaleString('en')} ${what} in ${seconds.toFixed(0)} s`);
  print(what, series);
}

function print(what: Soak, { done, holdings }: Series): void {
  const half = done.length >> 1;
  console.log(
    `${'what'.padEnd(28)}${['first', 'half', 'last', `growth per ${PER[what].toLocaleString('en')}`].map((head) => head.padStart(18)).join('')}`,
  );
  for (const name of Object.keys(holdings[0]!)) {
    const values = holdings.map((holding) => holding[name] ?? NaN);
    const growth = slope(done.slice(half), values.slice(half)) * PER[what];
    const cells = [values[0]!, values[half]!, values.at(-1)!, growth];
    console.log(`${name.padEnd(28)}${cells.map((value) => value.toFixed(2).padStart(18)).join('')}`);
  }
}

/** Of the straight line with the least squares. */
function slope(xs: readonly number[], ys: readonly number[]): number {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [x, y] = [mean(xs), mean(ys)];
  const above = xs.reduce((sum, each, i) => sum + (each - x) * (ys[i]! - y), 0);
  return above / xs.reduce((sum, each) => sum + (each - x) ** 2, 0);
}

function invoke(instance: Instance): Promise<void> {
  return new Promise((resolve, reject) => {
    instance.invoke({ ...HEAD, deadlineMs: Date.now() + 60_000 }, EVENT, {
      log() {},
      streamHead() {},
      streamChunk() {},
      end: (end) => (end.kind === 'answered' ? resolve() : reject(new Error(`an invocation ended otherwise: ${JSON.stringify(end)}`))),
    });
  });
}

async function withTemplate(use: (template: Template) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'hearth-soak-'));
  const packages = join(directory, 'packages');
  const codeDirectory = join(packages, 'soak');
  await mkdir(codeDirectory, { recursive: true, mode: 0o755 });
  await writeFile(join(codeDirectory, 'index.mjs'), SOURCE, { mode: 0o644 });
  // Sandboxes keep no process alive by themselves.
  const hold = setInterval(() => {}, 1_000);
  const sandboxes = await LinuxSandboxes.open({ directory: join(directory, 'run'), packages });
  try {
    const fixed = { label: 'soak', runtime: 'nodejs26.x', handler: 'index.handler', layerDirectories: [], environment: {} };
    const booted = await sandboxes.boot(
      { ...fixed, codeDirectory, memoryMiB: 128, tmpMiB: 16, initTimeoutMs: 20_000, concurrency: 1 },
      { log: (text) => console.log(text) },
    );
    if (!booted.ok) throw new Error(`the function did not boot: ${JSON.stringify(booted.failure)}`);
    await use(booted.template);
  } finally {
    await sandboxes.close();
    await rm(directory, { recursive: true, force: true });
    clearInterval(hold);
  }
}
