/**
 * Hours of load on the real engine, in simulated time: what is kept follows the load, within its bounds at every moment, and nobody is refused
 * or waits for a tick. The clock goes on in steps of 50 ms.
 */
import assert from 'node:assert/strict';
import { setImmediate } from 'node:timers/promises';
import { test } from 'node:test';
import { SimSandboxes } from '../../src/adapters/simulated/mod.ts';
import { createEngine } from '../../src/engine/mod.ts';
import type { Deployment, DeploymentStats, Engine, Scaling } from '../../src/engine/mod.ts';
import { manualClock, seededRandom } from '../../src/kernel/mod.ts';
import type { ManualClock, Random } from '../../src/kernel/mod.ts';

const STEP_MS = 50;
const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const SERVICE_MS = 800;

type Bounds = { readonly concurrency: number; readonly scaling: Partial<Scaling> };

class World {
  readonly clock: ManualClock = manualClock();
  readonly sandboxes: SimSandboxes;
  readonly engine: Engine;
  readonly deployment: Deployment;
  readonly random: Random;
  readonly least: number;
  readonly most: number;
  readonly #concurrency: number;
  running = 0;
  refused = 0;
  served = 0;
  longestMs = 0;

  constructor(seed: number, { concurrency, scaling }: Bounds) {
    this.random = seededRandom(seed);
    this.sandboxes = new SimSandboxes({
      clock: this.clock,
      random: seededRandom(seed + 1),
      functions: () => ({ load: () => () => (call) => call.after(SERVICE_MS, () => call.respond(null)) }),
    });
    this.engine = createEngine({ sandboxes: this.sandboxes, clock: this.clock, random: seededRandom(seed + 2), log() {}, report() {} });
    this.least = Math.max(scaling.minInstances ?? 0, scaling.provisioned ?? 0);
    this.most = scaling.maxInstances ?? Infinity;
    this.#concurrency = concurrency;
    this.deployment = {
      ...{ id: 'd', functionName: 'f', version: '$LATEST', arn: 'arn', timeoutMs: 60_000, scaling },
      spec: {
        ...{ label: 'f', runtime: 'nodejs26.x', handler: 'h', codeDirectory: '/code', layerDirectories: [], environment: {} },
        ...{ memoryMiB: 128, tmpMiB: 512, initTimeoutMs: 10_000, concurrency },
      },
    };
  }

  async begin(): Promise<void> {
    this.engine.rescale(this.deployment);
    void this.engine.prepare(this.deployment);
    for (let n = 0; n < 20; n++) await this.step();
  }

  get stats(): DeploymentStats {
    return this.engine.stats()[0]!;
  }

  get instances(): number {
    return this.stats.idle + this.stats.busy;
  }

  call(): void {
    const arrivedMs = this.clock.monotonicMs();
    this.running++;
    this.engine.invoke(
      { deployment: this.deployment, event: '{}' },
      {
        end: ({ kind }) => {
          this.running--;
          if (kind === 'answered') this.served++;
          else this.refused++;
          this.longestMs = Math.max(this.longestMs, this.clock.monotonicMs() - arrivedMs);
        },
      },
    );
  }

  async step(): Promise<void> {
    this.clock.advance(STEP_MS);
    if (this.sandboxes.counts.booting > 0) await setImmediate();
  }

  /** `perSecond`: calls that arrive on average, at `ms` from the beginning. */
  async pass(ms: number, perSecond: (ms: number) => number): Promise<void> {
    for (let passed = 0; passed < ms; passed += STEP_MS) {
      for (let due = this.#arrivals((perSecond(passed) * STEP_MS) / SECOND_MS); due > 0; due--) this.call();
      await this.step();
      this.#check();
    }
  }

  /** Poisson's, by the product of uniform numbers. */
  #arrivals(mean: number): number {
    if (mean === 0) return 0;
    const limit = Math.exp(-mean);
    let count = -1;
    for (let product = 1; product > limit; count++) product *= Buffer.from(this.random.bytes(4)).readUInt32LE(0) / 2 ** 32;
    return count;
  }

  #check(): void {
    const { instances } = this;
    assert.ok(instances >= this.least, `${instances} instances, and ${this.least} at least`);
    assert.ok(instances <= this.most, `${instances} instances, and ${this.most} at most`);
    const { kept } = this.stats;
    assert.ok(kept!.wanted >= this.least && kept!.wanted <= this.most);
    // A slot for each: nobody waits for a tick.
    if (instances < this.most) assert.ok(this.running <= instances * this.#concurrency);
  }
}

const day = (ms: number): number => 30 * Math.max(0, Math.sin((2 * Math.PI * ms) / HOUR_MS));

test('four hours of load that comes and goes: a slot for everyone at once, the number follows, and at rest the minimum is left', async () => {
  const world = new World(1, { concurrency: 10, scaling: { minInstances: 1, maxInstances: 20, scaleDownDelayMs: MINUTE_MS } });
  await world.begin();
  const peaks: number[] = [];
  for (let hour = 0; hour < 4; hour++) {
    await world.pass(15 * MINUTE_MS, day);
    peaks.push(world.instances);
    await world.pass(45 * MINUTE_MS, (ms) => day(ms + 15 * MINUTE_MS));
    assert.equal(world.instances, 1);
  }
  // 30 a second of 0.8 s each are 24 at a time; at 70 % of 10 that is four.
  for (const peak of peaks) assert.ok(peak >= 3 && peak <= 6, `${peak} at the peak`);
  assert.equal(world.refused, 0);
  assert.ok(world.served > 100_000);
  assert.ok(world.longestMs <= SERVICE_MS + 10 * STEP_MS, `${world.longestMs} ms`);
});

test('bursts out of nothing, every quarter of an hour: each finds its slots at once, and none is left behind', async () => {
  const world = new World(2, { concurrency: 20, scaling: { scaleDownDelayMs: 30 * SECOND_MS } });
  await world.begin();
  for (let burst = 0; burst < 12; burst++) {
    for (let n = 0; n < 500; n++) world.call();
    await world.step();
    assert.equal(world.instances, 25);
    await world.pass(15 * MINUTE_MS, () => 0);
    assert.equal(world.instances, 0);
  }
  assert.equal(world.refused, 0);
  assert.ok(world.longestMs <= SERVICE_MS + 2 * STEP_MS, `${world.longestMs} ms`);
});

test('a steady load keeps a steady number, with room for what comes next', async () => {
  const world = new World(3, { concurrency: 5, scaling: { scaleDownDelayMs: 30 * SECOND_MS } });
  await world.begin();
  await world.pass(5 * MINUTE_MS, () => 25);
  const seen = new Set<number>();
  for (let n = 0; n < 60; n++) {
    await world.pass(30 * SECOND_MS, () => 25);
    seen.add(world.stats.kept!.wanted);
  }
  // 20 at a time, of 3.5 for each.
  for (const wanted of seen) assert.ok(wanted >= 5 && wanted <= 8, [...seen].join(' '));
});

test('what is provisioned stays, through load and rest, and takes what comes first', async () => {
  const world = new World(4, { concurrency: 1, scaling: { provisioned: 10 } });
  await world.begin();
  await world.pass(10 * MINUTE_MS, () => 5);
  await world.pass(HOUR_MS, () => 0);
  assert.equal(world.instances, 10);
  const { provisionedInvocations, spilloverInvocations } = world.stats.kept!;
  assert.equal(provisionedInvocations + spilloverInvocations, world.served);
  assert.ok(provisionedInvocations > 0.95 * world.served, `${spilloverInvocations} of ${world.served} beyond`);
});
