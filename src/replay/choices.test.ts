import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { POLICY_NAMES } from '../policy/mod.ts';
import { BASELINE, choiceText, curveOf, openChoice, parseChoice, pointText } from './choices.ts';
import { simulate } from './simulate.ts';
import { study } from './study.ts';
import type { Trace } from './trace.ts';

test('policies are named with what is turned at them, and nothing else is taken for one', () => {
  assert.deepEqual(parseChoice('hazard'), { name: 'hazard' });
  assert.deepEqual(parseChoice(' hazard:1500.5'), { name: 'hazard', price: 1500.5 });
  assert.deepEqual(parseChoice('fixed'), BASELINE);
  assert.deepEqual(parseChoice('fixed:0'), { name: 'fixed', minutes: 0 });
  for (const text of [
    '',
    'Hazard',
    'hazard:',
    'hazard:-1',
    'hazard:1e9',
    'hazard:1:2',
    'fixed:soon',
    'fixed:100001',
    'lru:1',
    'none:0',
    'constructor',
  ])
    assert.equal(parseChoice(text), undefined, text);
  fc.assert(fc.property(fc.string(), (text) => void parseChoice(text)));
});

test('each policy can be opened, and is told apart from others in a table and on its curve', () => {
  const all = POLICY_NAMES.flatMap(curveOf);
  assert.equal(new Set(all.map(choiceText)).size, all.length);
  for (const choice of all) assert.equal(openChoice(choice).name, choice.name);
  assert.deepEqual(
    [
      { name: 'hazard', price: 250_000 },
      { name: 'hazard', price: 2_500_000 },
      { name: 'hazard', price: 12.5 },
      BASELINE,
      { name: 'lru' },
    ].map((choice) => pointText(choice as typeof BASELINE)),
    ['price 250k', 'price 2.5M', 'price 12.5', '10 min', ''],
  );
});

const TRACE: Trace = {
  name: 't',
  minutes: 200,
  functions: [1, 3, 15, 40].map((period) => ({
    ...{ id: `every ${period}`, app: 'a', trigger: 'http', durationMs: { average: 100 }, memoryMiB: 64 },
    counts: Array.from({ length: Math.floor(200 / period) }, (_, index) => [index * period, 1] as const),
  })),
};

test('a study replays each choice once, says what it costs against the baseline, and draws the curves that are asked for', async () => {
  const choices = ['none', 'fixed:10', 'fixed:20', 'fixed:20'].map((text) => parseChoice(text)!);
  const simulation = { resolution: 'minutes', schedules: 'unknown', seed: 1 } as const;
  const replayed: string[] = [];
  const next = (what: string, index: number, count: number) => void replayed.push(`${what} ${index}/${count}`);
  const { rows, curves } = await study(TRACE, { choices, simulation, curves: false, next });
  assert.deepEqual(replayed, ['fixed 10 min 1/3', 'none 2/3', 'fixed 20 min 3/3']);
  assert.deepEqual([rows.length, rows[1]!.relativeMemory, curves], [4, 1, []]);
  assert.deepEqual(rows[3], rows[2]);
  assert.deepEqual(rows[0]!.result, simulate(TRACE, openChoice({ name: 'none' }), simulation));
  const drawn = await study(TRACE, { choices, simulation, curves: true });
  assert.deepEqual(drawn.rows, rows);
  assert.deepEqual(
    drawn.curves.map(({ name, points }) => [name, points.length]),
    [
      ['none', 1],
      ['fixed', 7],
    ],
  );
  const cold = drawn.curves[1]!.points.map(({ coldStarts }) => coldStarts);
  assert.deepEqual(
    cold,
    cold.toSorted((one, other) => other - one),
    'the longer instances are kept, the fewer starts are cold',
  );
});

test('the baseline has all the memory there is, whatever the limit', async () => {
  const simulation = { resolution: 'minutes', schedules: 'unknown', seed: 1 } as const;
  const free = await study(TRACE, { choices: [BASELINE], simulation, curves: false });
  const limited = await study(TRACE, { choices: [BASELINE], simulation: { ...simulation, limitMemoryMiB: 64 }, curves: false });
  assert.equal(limited.baselineMiBSeconds, free.baselineMiBSeconds);
  assert.ok(limited.rows[0]!.relativeMemory < 1 && limited.rows[0]!.result.coldStarts > free.rows[0]!.result.coldStarts);
});
