import type { StartSteps } from './steps.ts';

/** What a row of the bench is, and what it finds. */
export type Row = {
  readonly name: string;
  readonly measure: (scale: Scale) => Promise<readonly Finding[]>;
  /** Why it can't be measured here, if it can't. */
  readonly missing?: () => string | undefined;
};

/** How much is measured. `quick` shows that everything works, on figures that are too noisy to compare. */
export type Scale = {
  readonly rounds: number;
  readonly seconds: number;
  readonly newFunctions: number;
  readonly furtherInstances: number;
  readonly idleInstances: number;
  readonly manyInstances: number;
  readonly crowdInstances: number;
  readonly bursts: number;
  readonly neighbourSeconds: number;
  readonly starts: number;
  /** One half of a square wave. */
  readonly waveSeconds: number;
  readonly pressureSeconds: number;
};

export const FULL: Scale = {
  rounds: 5,
  seconds: 3,
  newFunctions: 50,
  furtherInstances: 200,
  idleInstances: 1000,
  manyInstances: 10_000,
  crowdInstances: 500,
  bursts: 5,
  neighbourSeconds: 4,
  starts: 9,
  pressureSeconds: 600,
  waveSeconds: 30,
};
export const QUICK: Scale = {
  rounds: 1,
  seconds: 1,
  newFunctions: 5,
  furtherInstances: 10,
  idleInstances: 50,
  manyInstances: 60,
  crowdInstances: 30,
  bursts: 1,
  neighbourSeconds: 1,
  starts: 2,
  pressureSeconds: 30,
  waveSeconds: 2,
};

/** One figure of Hearth against one of a peer, or against a fixed target. */
export type Finding = {
  readonly row: string;
  readonly unit: string;
  readonly hearth: number;
  readonly peer?: { readonly name: string; readonly value: number };
  readonly target: Target;
  /** How many measurements the figures come from. */
  readonly samples: number;
  /** Of a row about starts: where their time went. */
  readonly starts?: readonly StartSteps[];
};

/** `ratio`: of Hearth's figure to the peer's; `difference`: Hearth's less the peer's; `value`: Hearth's own. */
export type Target = { readonly of: 'ratio' | 'difference' | 'value'; readonly bound: 'atLeast' | 'atMost'; readonly limit: number };

/** The number that the target is about. */
export function compared(finding: Finding): number {
  const peer = finding.peer?.value ?? 0;
  switch (finding.target.of) {
    case 'ratio':
      return finding.hearth / peer;
    case 'difference':
      return finding.hearth - peer;
    case 'value':
      return finding.hearth;
  }
}

export function reached(finding: Finding): boolean {
  const { bound, limit } = finding.target;
  return bound === 'atLeast' ? compared(finding) >= limit : compared(finding) <= limit;
}

/** The value that so many of a hundred don't exceed: one that was measured, the nearest above. */
export function percentile(values: readonly number[], percent: number): number {
  if (values.length === 0) throw new Error('nothing was measured');
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil((values.length * percent) / 100) - 1)]!;
}

export function median(values: readonly number[]): number {
  if (values.length === 0) throw new Error('nothing was measured');
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
