/** The autoscaler against the test cases of Knative's, whose rules it follows. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { autoscale, autoscalerState, maxOf, recordMax } from '../../src/policy/mod.ts';
import type { AutoscalerSpec, AutoscalerState, MaxWindow } from '../../src/policy/mod.ts';

type Spec = {
  readonly targetValue: number;
  readonly totalValue: number;
  readonly targetBurstCapacity: number;
  readonly panicThreshold: number;
  readonly maxScaleUpRate: number;
  readonly maxScaleDownRate: number;
  readonly stableWindowSeconds: number;
  readonly scaleDownDelaySeconds: number;
  readonly activationScale: number;
  readonly reachable: boolean;
};

type Step = {
  /** Seconds. */
  readonly at: number;
  readonly readyPods?: number;
  readonly podCountError?: boolean;
  readonly metricsError?: boolean;
  readonly stable?: number;
  readonly panic?: number;
  readonly update?: Spec;
  readonly want: { readonly valid: boolean; readonly desiredPods: number; readonly excessBurstCapacity: number };
  /** Seconds; null: no burst. */
  readonly wantPanicSince?: number | null;
};

type Vectors = {
  readonly scenarios: readonly {
    readonly name: string;
    readonly spec: Spec;
    readonly initialReadyPods: number;
    readonly initialPanic?: { readonly since: number; readonly maxPanicPods: number };
    readonly steps: readonly Step[];
  }[];
  readonly startInPanic: readonly {
    readonly initialReadyPods: number;
    readonly wantPanicking: boolean;
    readonly wantMaxPanicPods: number;
  }[];
  readonly maxWindow: readonly {
    readonly name: string;
    readonly size: number;
    readonly values: readonly number[];
    readonly index: readonly number[];
    readonly expect: readonly number[];
  }[];
};

const file = join(import.meta.dirname, '../../../shared/vectors/kpa.json');
const vectors = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Vectors) : undefined;
const skip = vectors ? false : `${file} is not there`;

test('the decisions are those of Knative in each of its scenarios', { skip }, () => {
  for (const { name, spec, initialReadyPods, initialPanic, steps } of vectors!.scenarios) {
    let current = toSpec(spec);
    let state: AutoscalerState = autoscalerState(initialReadyPods, 0);
    if (initialPanic) state = { ...state, panicSinceMs: initialPanic.since * 1_000, maxPanicInstances: initialPanic.maxPanicPods };
    for (const [index, step] of steps.entries()) {
      const message = `${name}, step ${index + 1}`;
      if (step.update) current = toSpec(step.update);
      const result = autoscale(
        current,
        state,
        {
          instances: step.podCountError === true ? undefined : step.readyPods,
          load: step.metricsError === true ? undefined : { stable: step.stable!, panic: step.panic! },
        },
        step.at * 1_000,
      );
      state = result.state;
      assert.equal(result.decision !== undefined, step.want.valid, message);
      assert.equal(result.decision?.instances ?? 0, step.want.desiredPods, message);
      const excess = result.decision?.excessBurstCapacity ?? 0;
      assert.ok(Math.abs(excess - step.want.excessBurstCapacity) <= 1, `${message}: ${excess}`);
      if (step.wantPanicSince !== undefined) {
        assert.equal(state.panicSinceMs, step.wantPanicSince === null ? undefined : step.wantPanicSince * 1_000, message);
      }
    }
  }
});

test('it begins in a burst where it finds several instances', { skip }, () => {
  for (const { initialReadyPods, wantPanicking, wantMaxPanicPods } of vectors!.startInPanic) {
    const state = autoscalerState(initialReadyPods, 1);
    assert.equal(state.panicSinceMs !== undefined, wantPanicking);
    assert.equal(state.maxPanicInstances, wantMaxPanicPods);
  }
});

test('the maximum of a window is what it is in each of its tables', { skip }, () => {
  for (const { name, size, values, index, expect } of vectors!.maxWindow) {
    let window: MaxWindow = [];
    const found = values.map((value, at) => maxOf((window = recordMax(window, size, index[at]!, value))));
    assert.deepEqual(found, expect, name);
  }
});

function toSpec(spec: Spec): AutoscalerSpec {
  return { ...spec, stableWindowMs: spec.stableWindowSeconds * 1_000, scaleDownDelayMs: spec.scaleDownDelaySeconds * 1_000 };
}
