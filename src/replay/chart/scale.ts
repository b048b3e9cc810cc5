/** Where values lie on an axis, and which of them are named. */
export type Scale = {
  /** From 0 at the first tick to 1 at the last. */
  place(value: number): number;
  readonly ticks: readonly number[];
};

/** From 0 to at least `most`, in about `count` round steps. */
export function linearScale(most: number, count: number): Scale {
  const step = roundStep((most > 0 ? most : 1) / count);
  const steps = Math.max(1, Math.ceil((most > 0 ? most : 1) / step - 1e-9));
  // Multiplied, not added up: a sum of tenths is not round.
  const ticks = Array.from({ length: steps + 1 }, (_, index) => Number((index * step).toPrecision(12)));
  return { place: (value) => value / (steps * step), ticks };
}

/** Over more than one power of ten: equal distances are equal ratios. `least` and `most` are above 0. */
export function logScale(least: number, most: number): Scale {
  const all: number[] = [];
  for (let power = Math.floor(Math.log10(least)); power <= Math.ceil(Math.log10(most)); power++)
    for (const factor of [1, 2, 5]) all.push(Number((factor * 10 ** power).toPrecision(12)));
  const from = all.findLastIndex((tick) => tick <= least * (1 + 1e-9));
  const to = all.findIndex((tick) => tick >= most * (1 - 1e-9) && tick > all[from]!);
  const ticks = all.slice(from, to + 1);
  const span = Math.log(ticks.at(-1)! / ticks[0]!);
  return { place: (value) => Math.log(value / ticks[0]!) / span, ticks };
}

/** The smallest of 1, 2, 2.5 and 5 times a power of ten that is not below `step`. */
function roundStep(step: number): number {
  const power = 10 ** Math.floor(Math.log10(step));
  const factor = [1, 2, 2.5, 5, 10].find((each) => each * power >= step * (1 - 1e-9))!;
  return factor * power;
}
