/**
 * What the warming policies come to on a real workload, by the simulator: 500 functions, 8 hours. A function is held in a minute or not; a minute
 * with calls in which it is not held is one cold start, but not its first; memory is that of all minutes in which it is held or called,
 * against holding everything for ten minutes after each call. `hazard` is run at the price that uses as much memory as the row allows.
 */
import { createReadStream, existsSync } from 'node:fs';
import { createPolicy } from '../../src/policy/mod.ts';
import type { PolicyName, PolicyOptions } from '../../src/policy/mod.ts';
import { halfOf, readTrace, recognised, simulate } from '../../src/replay/mod.ts';
import type { Result, SimulateOptions, Trace } from '../../src/replay/mod.ts';
import { median } from '../row.ts';
import type { Finding, Row } from '../row.ts';

const TRACE = new URL('../../../shared/traces/azure2019_500fn_8h/compact.json', import.meta.url);

/** The trace is no part of the project. */
const missing = () => (existsSync(TRACE) ? undefined : 'the trace of docs/warming.md is not beside this project');

export const withSchedules: Row = {
  name: 'replay, known timer schedules used',
  missing,
  async measure() {
    return [
      coldAt(await azure(), { row: `${this.name}: cold starts at 0.75 of the memory`, memory: 0.75, limit: 150, schedules: 'known' }),
    ];
  },
};

export const withoutSchedules: Row = {
  name: 'replay, without schedules',
  missing,
  async measure() {
    const trace = await azure();
    const at = (memory: number, limit: number) =>
      coldAt(trace, { row: `${this.name}: cold starts at ${memory} of the memory`, memory, limit, schedules: 'unknown' });
    return [at(1.15, 160), at(0.7, 340)];
  },
};

/** The half of the trace's applications that nothing was learnt from or chosen on; the targets are halved with it. */
export const heldOut: Row = {
  name: 'replay of the half that was held out',
  missing,
  async measure() {
    const trace = halfOf(await azure(), 'held out');
    const at = (memory: number, limit: number, schedules: SimulateOptions['schedules']) =>
      coldAt(trace, { row: `${this.name}, schedules ${schedules}: cold starts at ${memory} of the memory`, memory, limit, schedules });
    return [at(0.75, 75, 'known'), at(1.15, 80, 'unknown'), at(0.7, 170, 'unknown')];
  },
};

/** Everything is held until memory runs out; the limit is a part of what all functions take together. */
export const evictionUnderPressure: Row = {
  name: 'replay, eviction',
  missing,
  async measure() {
    const trace = await azure();
    const total = trace.functions.reduce((sum, { memoryMiB }) => sum + memoryMiB, 0);
    const cold = (name: PolicyName, part: number) => run(trace, name, {}, { limitMemoryMiB: part * total }).coldStarts;
    return [30, 40].flatMap((percent) =>
      (['lru', 'greedy-dual'] as const).map((peer): Finding => {
        const row = `${this.name} with ${percent} % of the memory: cold starts, ${peer} beside it`;
        const target = { of: 'value', bound: 'atMost', limit: percent === 30 ? 20_500 : 11_600 } as const;
        const value = cold(peer, percent / 100);
        return { row, unit: 'starts', hearth: cold('value', percent / 100), peer: { name: peer, value }, target, samples: 1 };
      }),
    );
  },
};

export const warmingCost: Row = {
  name: 'replay, what warming costs',
  missing,
  async measure({ rounds }) {
    const trace = day(await azure());
    const seconds: number[] = [];
    let decisions = 0;
    for (let round = 0; round < rounds; round++) {
      // A replay is one thread that waits for nothing: what it takes of a processor is what it takes on a machine with nothing else to do.
      const before = process.cpuUsage();
      decisions = run(trace, 'hazard', {}, {}).activeMinutes;
      const { user, system } = process.cpuUsage(before);
      seconds.push((user + system) / 1e6);
    }
    const value = (row: string, unit: string, hearth: number, limit: number): Finding => {
      return { row: `${this.name}: ${row}`, unit, hearth, target: { of: 'value', bound: 'atMost', limit }, samples: rounds };
    };
    return [
      value('a day of 500 functions', 's', median(seconds), 5),
      value('a decision, with all that is learnt and simulated for it', 'us', (median(seconds) * 1e6) / decisions, 50),
      value('what is kept of the function that most is known of', 'bytes', mostBytes(trace), 8_192),
    ];
  },
};

type Asked = { readonly row: string; readonly memory: number; readonly limit: number; readonly schedules: SimulateOptions['schedules'] };

/** Fewest cold starts at any price that uses no more than so much of the memory. */
function coldAt(trace: Trace, { row, memory, limit, schedules }: Asked): Finding {
  const ten = run(trace, 'fixed', {}, {});
  let [low, high] = [1_000, 100_000_000];
  let best = run(trace, 'hazard', { priceMiBSeconds: low }, { schedules });
  for (let step = 0; step < 14; step++) {
    const priceMiBSeconds = Math.sqrt(low * high);
    const result = run(trace, 'hazard', { priceMiBSeconds }, { schedules });
    if (result.memoryMiBSeconds <= memory * ten.memoryMiBSeconds) [low, best] = [priceMiBSeconds, result];
    else high = priceMiBSeconds;
  }
  const peer = { name: 'for 10 min', value: ten.coldStarts };
  return { row, unit: 'starts', hearth: best.coldStarts, peer, target: { of: 'value', bound: 'atMost', limit }, samples: 1 };
}

function run(trace: Trace, name: PolicyName, policy: PolicyOptions, options: Partial<SimulateOptions>): Result {
  return simulate(trace, createPolicy(name, policy), { resolution: 'minutes', seed: 1, schedules: 'unknown', ...options });
}

/** Three times the eight hours. */
function day(trace: Trace): Trace {
  const shifts = [0, 1, 2].map((times) => times * trace.minutes);
  const functions = trace.functions.map((traced) => {
    return { ...traced, counts: shifts.flatMap((shift) => traced.counts.map(([minute, calls]) => [minute + shift, calls] as const)) };
  });
  return { ...trace, minutes: 3 * trace.minutes, functions };
}

function mostBytes(trace: Trace): number {
  const policy = createPolicy('hazard');
  const sizes = trace.functions.map(({ id, app, trigger, memoryMiB, counts }) => {
    const warming = policy.open({ id, app, trigger, instance: { memoryMiB, savedMs: 500 } });
    for (const [minute] of counts) warming.called({ atMs: minute * 60_000, cold: false });
    return warming.save().byteLength;
  });
  return Math.max(...sizes);
}

async function azure(): Promise<Trace> {
  const { trace } = await readTrace([{ name: 'compact.json', open: () => createReadStream(TRACE) }], { name: 'azure2019_500fn_8h' });
  return recognised(trace);
}
