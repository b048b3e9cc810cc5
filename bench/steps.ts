/** Where the time of measured starts went, by what Hearth itself has recorded of them: the same that `hearth trace` shows. */
import { expectStatus } from './client.ts';
import type { Answer, Client } from './client.ts';
import type { Hearth } from './hearth.ts';
import { median } from './row.ts';

/** Starts of one kind. Medians; milliseconds since the invocation arrived, and since the step before. */
export type StartSteps = {
  readonly kind: string;
  /** How many of the row's samples. */
  readonly samples: number;
  readonly totalMs: number;
  readonly steps: readonly { readonly name: string; readonly atMs: number; readonly tookMs: number }[];
};

/** As the admin API has it. */
export type Start = {
  readonly kind: string;
  readonly from?: string;
  readonly totalMs: number;
  readonly steps: readonly { readonly name: string; readonly atMs: number }[];
};

/** How the instances came to be that gave these answers. */
export async function stepsOf(client: Client, hearth: Hearth, answers: readonly Answer[]): Promise<readonly StartSteps[]> {
  const starts: Start[] = [];
  for (const answer of answers) {
    const id = answer.headers[answer.headers.findIndex((name) => name.toLowerCase() === 'x-amzn-requestid') + 1];
    const found = expectStatus(await client.call({ url: `${hearth.url}/_hearth/starts/${id}` }), `the start of ${id}`, 200);
    starts.push(JSON.parse(found.body.toString()) as Start);
  }
  return medians(starts);
}

/** By kind, the most frequent first. What was done ahead of the invocation took none of its time, and is left out. */
export function medians(starts: readonly Start[]): readonly StartSteps[] {
  const kinds = Map.groupBy(starts, ({ kind, from }) => (from === 'spare' ? `${kind}, had a spare` : kind));
  return [...kinds]
    .map(([kind, alike]) => ({
      kind,
      samples: alike.length,
      totalMs: median(alike.map(({ totalMs }) => totalMs)),
      steps: stepMedians(alike),
    }))
    .toSorted((a, b) => b.samples - a.samples);
}

function stepMedians(starts: readonly Start[]): StartSteps['steps'] {
  const taken = starts.flatMap(({ steps }) =>
    steps
      .filter(({ atMs }) => atMs >= 0)
      .map(({ name, atMs }, index, within) => ({ name, atMs, tookMs: atMs - (within[index - 1]?.atMs ?? 0) })),
  );
  // A step that only few of them had says nothing of the others, and would stand in the wrong place.
  return [...Map.groupBy(taken, ({ name }) => name)]
    .filter(([, each]) => each.length * 2 > starts.length)
    .map(([name, each]) => ({ name, atMs: median(each.map(({ atMs }) => atMs)), tookMs: median(each.map(({ tookMs }) => tookMs)) }))
    .toSorted((a, b) => a.atMs - b.atMs);
}

export function stepLines({ kind, samples, totalMs, steps }: StartSteps): string[] {
  const width = Math.max(...steps.map(({ name }) => name.length));
  const line = (name: string, ms: number, note: string) => `    ${name.padEnd(width)} ${ms.toFixed(2).padStart(8)} ms${note}`;
  return [
    `  ${kind}, ${samples} of them, ${totalMs.toFixed(2)} ms in the engine:`,
    ...steps.map(({ name, atMs, tookMs }) => line(name, atMs, tookMs === 0 ? '' : `  +${tookMs.toFixed(2)}`)),
  ];
}
