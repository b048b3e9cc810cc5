import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { bestRung, costOf, memoryOf, overlay, planOf, savingOf } from './worth.ts';
import type { Rungs, Span } from './worth.ts';
import { MAX_STEPS } from './policy.ts';

const number = (max: number) => fc.double({ min: 0, max, noNaN: true });
const cost = fc.record({ memoryMiB: number(1_000), savedMs: number(1_000) });
const rungs: fc.Arbitrary<Rungs> = fc
  .tuple(cost, fc.option(cost, { nil: undefined }))
  .map(([instance, template]) => ({ instance, ...(template && { template }) }));
const rung = fc.constantFrom('nothing' as const, 'template' as const, 'instance' as const);

test('no other rung brings more than the one that is chosen', () => {
  fc.assert(
    fc.property(rungs, number(1), number(1_000), number(1e6), (rungs, chance, seconds, price) => {
      const gain = (one: Span['rung']) => savingOf(rungs, one, chance, price) - costOf(rungs, one, seconds);
      const best = gain(bestRung(rungs, chance, seconds, price));
      for (const other of ['nothing', 'instance', ...(rungs.template ? (['template'] as const) : [])] as const)
        assert.ok(best >= gain(other));
    }),
  );
});

test('a template saves nothing where there is none, and an instance is held beside it', () => {
  const instance = { memoryMiB: 10, savedMs: 0 };
  assert.equal(savingOf({ instance }, 'template', 1, 100), 0);
  assert.equal(savingOf({ instance, template: { memoryMiB: 5, savedMs: 1 } }, 'template', 1, 100), 0);
  const both = { instance, template: { memoryMiB: 5, savedMs: 1 } };
  assert.deepEqual([memoryOf(both, 'nothing'), memoryOf(both, 'template'), memoryOf(both, 'instance')], [0, 5, 15]);
  assert.equal(memoryOf({ instance }, 'template'), 0);
});

test('what is laid over spans is held then, and nothing else changes', () => {
  const lengths = fc.array(fc.tuple(rung, fc.integer({ min: 1, max: 20 })), { minLength: 1, maxLength: 10 });
  fc.assert(
    fc.property(lengths, rung, fc.nat(100), fc.integer({ min: 1, max: 50 }), (parts, over, fromMs, lasts) => {
      let endMs = 0;
      const spans = parts.map(([rung, length]) => ({ rung, chance: 0, fromMs: endMs, untilMs: (endMs += length) }));
      const at = (all: readonly Span[], ms: number) => all.find((span) => span.fromMs <= ms && ms < span.untilMs)!.rung;
      const laid = overlay(spans, { rung: over, chance: 1, fromMs, untilMs: fromMs + lasts });
      const height = (one: Span['rung']) => ['nothing', 'template', 'instance'].indexOf(one);
      for (let ms = 0; ms < endMs; ms++) {
        const inside = ms >= fromMs && ms < fromMs + lasts;
        assert.equal(height(at(laid, ms)), Math.max(height(at(spans, ms)), inside ? height(over) : 0));
      }
    }),
  );
});

test('a plan that would have too many steps ends early, with nothing', () => {
  const spans = Array.from(
    { length: 100 },
    (_, i) => ({ rung: i % 2 ? 'instance' : 'nothing', fromMs: i, untilMs: i + 1, chance: 0 }) as const,
  );
  const plan = planOf(spans.slice(1), 1);
  assert.equal(plan.length, MAX_STEPS);
  assert.equal(plan.at(-1)!.rung, 'nothing');
});
