/** Far more functions than there is memory for, called in turn: what is kept makes room all the time, nobody is refused, and nothing is left behind. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { readHierarchies } from '../../src/adapters/linux/cgroup-tree.ts';
import { below } from '../../tools/processes.ts';
import { openClient } from '../client.ts';
import type { Client } from '../client.ts';
import { crowdFunction } from '../crowd.ts';
import { deploy, startHearth, tryInvoke, waitUntilActive } from '../hearth.ts';
import type { Hearth } from '../hearth.ts';
import { percentile } from '../row.ts';
import type { Finding, Row } from '../row.ts';

const FUNCTIONS = 300;
/** Sixty at rest, each with its template, its keeper and an instance. */
const MEMORY = `${60 * 6}MiB`;

/** What it holds of its machine. */
type Holdings = {
  readonly residentMiB: number;
  readonly processes: number;
  readonly descriptors: number;
  readonly mounts: number;
  readonly groups: number;
};

export const memoryPressure: Row = {
  name: '300 functions called in turn, with memory for 60',
  async measure(scale) {
    const hearth = await startHearth({ memory: MEMORY, concurrency: 100 });
    const client = openClient();
    try {
      const names = Array.from({ length: FUNCTIONS }, (_, index) => `turn-${index}`);
      for (const name of names) await deploy(client, hearth, { name, source: crowdFunction() });
      await waitUntilActive(client, hearth, names.at(-1)!);
      // Once around, and for a third of the time: all there is to be held is held then, and what it takes is known.
      const settledMs = performance.now() + (scale.pressureSeconds * 1_000) / 3;
      const first = await callInTurn(client, hearth, { names, untilMs: settledMs });
      const before = await holdingsAtRest(hearth.pid);
      say('at the beginning', before, await load(client, hearth));
      const calls = await callInTurn(client, hearth, { names, untilMs: performance.now() + (scale.pressureSeconds * 2_000) / 3 });
      const after = await holdingsAtRest(hearth.pid);
      const found = await load(client, hearth);
      say(`after ${calls.times.length} calls`, after, found);
      if (found.evicted.templates < calls.times.length / 4) throw new Error('there was memory enough: the row has measured something else');
      const errors = first.errors.length + calls.errors.length;
      if (errors > 0) console.error(`  the first of ${errors} errors: ${[...first.errors, ...calls.errors][0]}`);
      return findings(this.name, { errors, times: calls.times, before, after });
    } finally {
      client.close();
      await hearth.stop();
    }
  },
};

type Found = { readonly errors: number; readonly times: readonly number[]; readonly before: Holdings; readonly after: Holdings };

function findings(name: string, { errors, times, before, after }: Found): Finding[] {
  const row = (what: string, unit: string, hearth: number, limit: number): Finding => ({
    row: `${name}, ${what}`,
    unit,
    hearth,
    target: { of: 'value', bound: 'atMost', limit },
    samples: times.length,
  });
  const grown = (of: keyof Holdings) => (100 * (after[of] - before[of])) / before[of];
  return [
    row('errors', 'calls', errors, 0),
    row('99th percentile', 'ms', percentile(times, 99), 1_000),
    row('memory of the host that has come', 'MiB', after.residentMiB - before.residentMiB, 32),
    // Whoever happens to be kept at the moment has a few processes more or less.
    row(
      'processes, files, mounts or groups that have come',
      '%',
      Math.max(...(['processes', 'descriptors', 'mounts', 'groups'] as const).map(grown)),
      10,
    ),
  ];
}

/** Each once at least, two at a time. */
async function callInTurn(
  client: Client,
  hearth: Hearth,
  { names, untilMs }: { readonly names: readonly string[]; readonly untilMs: number },
) {
  const times: number[] = [];
  const errors: string[] = [];
  let next = 0;
  const caller = async () => {
    while (next < names.length || performance.now() < untilMs) {
      const name = names[next++ % names.length]!;
      const answer = await tryInvoke(client, hearth, name, { untilMs: 0 });
      times.push(answer.ms);
      if (answer.status !== 200 || answer.body.includes('errorType'))
        errors.push(`${name}: HTTP ${answer.status} ${answer.body.toString().slice(0, 300)}`);
    }
  };
  await Promise.all([caller(), caller()]);
  return { times, errors };
}

type Load = { readonly committedMiB: number; readonly evicted: { readonly instances: number; readonly templates: number } };

async function load(client: Client, hearth: Hearth): Promise<Load> {
  const { body } = await client.call({ url: `${hearth.url}/_hearth/stats` });
  return (JSON.parse(body.toString()) as { readonly host: Load }).host;
}

/** What was ended a moment ago still goes: the first of a few readings that is no smaller than the one before. */
async function holdingsAtRest(pid: number): Promise<Holdings> {
  let last = holdings(pid);
  for (let tries = 0; tries < 20; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const now = holdings(pid);
    if (now.groups >= last.groups && now.processes >= last.processes) return now;
    last = now;
  }
  return last;
}

function holdings(pid: number): Holdings {
  const cgroup = readFileSync(`/proc/${pid}/cgroup`, 'latin1');
  const hierarchies = readHierarchies(cgroup, readFileSync(`/proc/${pid}/mountinfo`, 'latin1'));
  return {
    residentMiB: Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0) / 1024,
    processes: below(pid).length,
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    mounts: readFileSync(`/proc/${pid}/mountinfo`, 'latin1').split('\n').length,
    groups: 1 + hierarchies.reduce((sum, { own }) => sum + groupsOf(own, pid), 0),
  };
}

function groupsOf(own: string, pid: number): number {
  const bases = existsSync(own) ? readdirSync(own).filter((name) => name.startsWith(`hearth-${pid}-`)) : [];
  return bases.reduce(
    (sum, base) => sum + readdirSync(join(own, base), { withFileTypes: true }).filter((entry) => entry.isDirectory()).length,
    0,
  );
}

function say(when: string, held: Holdings, { committedMiB, evicted }: Load): void {
  const { residentMiB, processes, descriptors, mounts, groups } = held;
  console.error(
    `  ${when}: host ${residentMiB.toFixed(0)} MiB, ${processes} processes, ${descriptors} files, ${mounts} mounts, ${groups} groups; ` +
      `${committedMiB} MiB kept, ${evicted.instances} instances and ${evicted.templates} templates have made room`,
  );
}
