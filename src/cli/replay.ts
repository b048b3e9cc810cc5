import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { HearthError } from '../kernel/mod.ts';
import { recognised, study, tradeOffSvg } from '../replay/mod.ts';
import type { ReadTrace, Study, StudyRow, Trace } from '../replay/mod.ts';
import type { Context } from './context.ts';
import { choicesIn, minutesIn, simulationIn } from './replay-options.ts';
import type { ReplayOptions } from './replay-options.ts';
import { tableText } from './text.ts';
import { readTraceFiles } from './trace-files.ts';

/** Replays policies over a trace, and prints what each would have done. Needs no running platform. */
export async function replay(context: Context, paths: readonly string[], options: ReplayOptions): Promise<void> {
  const { out, directory } = context;
  const choices = choicesIn(options);
  const read = await out.progress('reading the trace', readTraceFiles(directory, paths, options.format));
  for (const warning of read.warnings) out.warn(warning);
  const trace = options.schedules === 'known' ? recognised(read.trace) : read.trace;
  const simulation = simulationIn(options, trace);
  const result = await study(trace, {
    choices,
    simulation,
    curves: options.svg !== undefined,
    async next(what, index, count) {
      out.step(`replaying ${what} (${index} of ${count})`);
      // A signal is heard between two replays.
      await turn();
    },
  }).finally(() => out.step(undefined));
  if (options.svg !== undefined) await writeChart(resolve(directory, options.svg), chartOf(trace, result, options));
  out.result(reportOf({ ...read, trace }, result, simulation), () =>
    tableOf(trace, result, { ...simulation, ...minutesIn(options, trace) }, out.paint.bold),
  );
}

type Simulation = ReturnType<typeof simulationIn>;

async function writeChart(path: string, svg: string): Promise<void> {
  try {
    await writeFile(path, svg);
  } catch (cause) {
    throw new HearthError('BadUsage', `--svg ${path}: cannot be written: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
}

function chartOf(trace: Trace, { curves }: Study, { limitMemory, schedules }: ReplayOptions): string {
  const told = [aboutText(trace), ...(limitMemory === undefined ? [] : [`memory limited to ${limitMemory}`]), `schedules ${schedules}`];
  return tradeOffSvg({ title: `${trace.name}: cold starts against memory`, subtitle: told.join(', '), curves });
}

const callsOf = (trace: Trace): number =>
  trace.functions.reduce((sum, { counts }) => sum + counts.reduce((some, [, calls]) => some + calls, 0), 0);

const grouped = (value: number): string => Math.round(value).toLocaleString('en-US');

const aboutText = (trace: Trace): string =>
  `${grouped(trace.functions.length)} functions, ${grouped(trace.minutes)} minutes, ${grouped(callsOf(trace))} calls`;

function reportOf({ trace, format, warnings }: ReadTrace, { rows, baselineMiBSeconds }: Study, simulation: Simulation): object {
  return {
    trace: {
      name: trace.name,
      format,
      functions: trace.functions.length,
      minutes: trace.minutes,
      calls: callsOf(trace),
      schedules: trace.functions.filter(({ schedule }) => schedule !== undefined).length,
    },
    warnings,
    simulation,
    baseline: { policy: 'fixed', minutes: 10, memoryMiBSeconds: baselineMiBSeconds },
    policies: rows.map(({ choice, result: { policy: _, perFunction: __, ...result }, relativeMemory }) => ({
      ...choice,
      ...result,
      relativeMemory,
    })),
  };
}

type Shown = Simulation & { readonly from: number; readonly to: number };

function tableOf(trace: Trace, { rows }: Study, simulation: Shown, bold: (text: string) => string): string {
  const { limitMemoryMiB } = simulation;
  const limited = limitMemoryMiB !== undefined;
  const head = ['POLICY', 'COLD STARTS', 'P50', 'P75', 'P90', 'MEMORY', 'P99 DELAY', ...(limited ? ['EVICTIONS'] : [])];
  const cells = rows.map((row) => cellsOf(row, limited));
  const widths = head.map((title, column) => Math.max(title.length, ...cells.map((row) => row[column]!.length)));
  const aligned = [head, ...cells].map((row) => row.map((cell, column) => (column === 0 ? cell : cell.padStart(widths[column]!))));
  const scheduled = trace.functions.filter(({ schedule }) => schedule !== undefined).length;
  const firsts = rows[0]!.result.firstTouches;
  return [
    `${bold(trace.name)}: ${aboutText(trace)}`,
    '',
    tableText(aligned[0]!, aligned.slice(1), bold),
    '',
    `Counted in minutes ${simulation.from} to ${simulation.to}, without the ${grouped(firsts)} first calls of functions. ${CONVENTION[simulation.resolution]}`,
    'P50, P75, P90: half, three quarters, nine tenths of the functions had no larger share of their active minutes begin cold.',
    'MEMORY: what was held over time; 1.00 is every instance for 10 minutes after its last call.',
    ...(scheduled > 0 ? [`Functions with a known schedule, by what the trace says or by when timers call: ${grouped(scheduled)}.`] : []),
    ...(limited ? [`No more than ${grouped(limitMemoryMiB)} MiB is held at once.`] : []),
  ].join('\n');
}

const CONVENTION = {
  minutes: 'A minute with calls in which nothing was held is one cold start.',
  milliseconds: 'Calls come at seeded times within their minutes, and instances are busy while they run.',
} as const;

function cellsOf({ label, result, relativeMemory }: StudyRow, limited: boolean): string[] {
  const { coldStarts, coldPercent, p99DelayMs, evictions } = result;
  const percent = (value: number) => `${value.toFixed(1)}%`;
  return [
    label,
    grouped(coldStarts),
    percent(coldPercent.p50),
    percent(coldPercent.p75),
    percent(coldPercent.p90),
    relativeMemory.toFixed(2),
    `${grouped(p99DelayMs)} ms`,
    ...(limited ? [grouped(evictions)] : []),
  ];
}
