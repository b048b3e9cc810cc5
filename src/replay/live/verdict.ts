/** Starts that a platform has counted, held against those that the simulator predicts for the same calls. */

/** Of one function: how many of its calls found no instance, the first included. */
export type ColdCount = { readonly id: string; readonly predicted: number; readonly counted: number };

export type Verdict = {
  readonly agrees: boolean;
  readonly predicted: number;
  readonly counted: number;
  /** Counted less predicted, over predicted. */
  readonly error: number;
  /** Functions that are off, the furthest first. Errors that cancel out are seen here. */
  readonly off: readonly ColdCount[];
  /** So few starts that one more or less would decide. */
  readonly few: boolean;
};

/** How far counts may be from predictions. */
export const AGREEMENT = 0.05;
const ENOUGH = 1 / AGREEMENT;

export function verdictOf(functions: readonly ColdCount[]): Verdict {
  const predicted = functions.reduce((sum, each) => sum + each.predicted, 0);
  const counted = functions.reduce((sum, each) => sum + each.counted, 0);
  const off = functions
    .filter((each) => each.predicted !== each.counted)
    .toSorted((one, other) => distance(other) - distance(one) || (one.id < other.id ? -1 : 1));
  const error = counted === predicted ? 0 : (counted - predicted) / Math.max(1, predicted);
  return { agrees: Math.abs(error) <= AGREEMENT, predicted, counted, error, off, few: predicted < ENOUGH };
}

const distance = ({ predicted, counted }: ColdCount): number => Math.abs(counted - predicted);
