/** Replays several policies over one trace, and sets what they cost in relation to what everybody knows: keeping instances for 10 minutes. */
import type { TradeOffCurve } from './chart/trade-off.ts';
import { BASELINE, choiceText, curveOf, openChoice, pointText } from './choices.ts';
import type { PolicyChoice } from './choices.ts';
import type { Result, SimulateOptions } from './result.ts';
import { simulate } from './simulate.ts';
import type { Trace } from './trace.ts';

export type StudyOptions = {
  readonly choices: readonly PolicyChoice[];
  readonly simulation: SimulateOptions;
  /** Whether each policy is replayed along its curve too. */
  readonly curves: boolean;
  /** Called, and awaited, before each replay: they take a while. */
  readonly next?: (what: string, index: number, count: number) => Promise<void> | void;
};

export type StudyRow = { readonly choice: PolicyChoice; readonly label: string; readonly result: Result; readonly relativeMemory: number };
export type Study = {
  readonly rows: readonly StudyRow[];
  readonly curves: readonly TradeOffCurve[];
  readonly baselineMiBSeconds: number;
};

export async function study(trace: Trace, options: StudyOptions): Promise<Study> {
  const { choices, curves, simulation } = options;
  const names = [...new Set(choices.map(({ name }) => name))];
  const along = curves ? names.flatMap(curveOf) : [];
  // The baseline has all the memory there is: it is a measure, and has to be the same at every limit.
  const { limitMemoryMiB: _, ...unlimited } = simulation;
  const runs = new Map<string, Result>();
  const wanted = new Map([...choices, ...along].map((choice) => [choiceText(choice), choice]));
  // Under a limit the baseline itself is another replay than the measure.
  const count = wanted.size + (simulation.limitMemoryMiB === undefined && wanted.has(choiceText(BASELINE)) ? 0 : 1);
  let index = 1;
  await options.next?.(choiceText(BASELINE), index, count);
  const baseline = simulate(trace, openChoice(BASELINE), unlimited);
  if (simulation.limitMemoryMiB === undefined) runs.set(choiceText(BASELINE), baseline);
  for (const [label, choice] of wanted) {
    if (runs.has(label)) continue;
    await options.next?.(label, ++index, count);
    runs.set(label, simulate(trace, openChoice(choice), simulation));
  }
  const relative = ({ memoryMiBSeconds }: Result): number =>
    baseline.memoryMiBSeconds > 0 ? memoryMiBSeconds / baseline.memoryMiBSeconds : 0;
  const resultOf = (choice: PolicyChoice): Result => runs.get(choiceText(choice))!;
  return {
    rows: choices.map((choice) => {
      const result = resultOf(choice);
      return { choice, label: choiceText(choice), result, relativeMemory: relative(result) };
    }),
    curves: (curves ? names : []).map((name) => ({
      name,
      points: curveOf(name).map((choice) => {
        const result = resultOf(choice);
        return { label: pointText(choice), relativeMemory: relative(result), coldStarts: result.coldStarts };
      }),
    })),
    baselineMiBSeconds: baseline.memoryMiBSeconds,
  };
}
