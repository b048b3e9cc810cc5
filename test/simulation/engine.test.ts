import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { SimSandboxes } from '../../src/adapters/simulated/mod.ts';
import type { SimFaults, SimFunction } from '../../src/adapters/simulated/mod.ts';
import { createEngine } from '../../src/engine/mod.ts';
import type { Deployment, Engine, EngineLimits, EngineLog, Outcome, ShareLoad } from '../../src/engine/mod.ts';
import { manualClock, seededRandom, silentLog } from '../../src/kernel/mod.ts';
import type { ManualClock } from '../../src/kernel/mod.ts';

/**
 * Thousands of invocations on a schedule drawn from a seed, on a clock that is moved by hand, against sandboxes that fail in every
 * way they know. What must hold, holds after every step. A failure names its seed: `HEARTH_SEED=n node --test test/simulation`.
 */
const FAULTS: SimFaults = {
  bootThrows: 0.05,
  bootFails: 0.08,
  bootTimesOut: 0.02,
  bootSlow: 0.1,
  bootHangs: 0.01,
  templateDies: 0.02,
  forkFails: 0.02,
  dies: 0.05,
  violates: 0.02,
  neverAnswers: 0.02,
};

const LIMITS = {
  concurrentInvocations: 12,
  maxInstancesTotal: 10,
  processors: 1,
  maxTemplates: 4,
  memoryMiB: 36,
  queueDepth: 6,
  queueAgeMs: 2_000,
  keepAliveMs: 1_000,
  templateKeepAliveMs: 3_000,
} as const satisfies Partial<EngineLimits>;

const NOTHING = { running: 0, waiting: 0, counted: 0, committedMiB: 0 };
const INVOCATIONS = 2_000;
const STEP_MS = 1;
const given = process.env['HEARTH_SEED'];
const seeds = given === undefined ? [1, 2, 3, 4, 5, 6] : [Number(given)];

for (const seed of seeds) {
  // Every other course of events is without faults: then nothing but the limits may keep an invocation from its answer.
  const faults = seed % 2 === 0 ? {} : FAULTS;
  test(`seed ${seed}, ${seed % 2 === 0 ? 'no faults' : 'all faults'}: every invocation ends once and in time, and no limit is passed`, async () => {
    const world = new World(seed, faults);
    await world.play();
    await world.drain();
  });

  test(`seed ${seed}, ${seed % 2 === 0 ? 'no faults' : 'all faults'}: the same where most invocations are short, and instances are handed them ahead`, async () => {
    const world = new World(seed, faults, true);
    await world.play();
    await world.drain();
    assert.ok(world.mostQueued > 0);
  });
}

test('one seed, one course of events', async () => {
  const [first, second] = [new World(7, FAULTS), new World(7, FAULTS)];
  await first.play(400);
  await second.play(400);
  assert.deepEqual(second.history, first.history);
  await Promise.all([first.drain(), second.drain()]);
});

type Call = {
  readonly deployment: Deployment;
  readonly arrivedMs: number;
  /** May go on after its answer. */
  readonly goesOn: boolean;
  startedMs?: number;
  reported?: boolean;
  outcome?: Outcome;
  abandoned: boolean;
};

class World {
  readonly clock: ManualClock = manualClock();
  readonly sandboxes: SimSandboxes;
  readonly engine: Engine;
  readonly calls = new Map<string, Call>();
  readonly history: string[] = [];
  readonly #random: ReturnType<typeof seededRandom>;
  readonly #faulty: boolean;
  #deployments: Deployment[] = [];
  #revision = 0;
  readonly #failed: unknown[] = [];
  #running = 0;
  readonly #runningOf = new Map<string, number>();
  readonly #reserved = new Map<string, number>();
  /** What may run, by function name, and of the others; as much more as ran when it was made less, until that has ended. */
  readonly #mayRun = new Map<string | undefined, number>();
  mostQueued = 0;
  readonly #short: boolean;

  constructor(seed: number, faults: Partial<SimFaults>, short = false) {
    this.#short = short;
    this.#random = seededRandom(seed);
    this.#faulty = Object.keys(faults).length > 0;
    this.sandboxes = new SimSandboxes({
      clock: this.clock,
      random: seededRandom(seed + 1_000),
      functions: () => work,
      faults,
      handsAhead: short,
    });
    this.engine = createEngine({
      sandboxes: this.sandboxes,
      clock: this.clock,
      random: seededRandom(seed + 2_000),
      log: (line) => this.#log(line),
      limits: LIMITS,
      // The engine catches what listeners throw: their assertions come back this way.
      platformLog: { ...silentLog, error: ({ error }) => void (error && this.#failed.push(error)) },
    });
    this.#deployments = Array.from({ length: 6 }, (_, index) => this.#deployment(index));
  }

  async play(invocations = INVOCATIONS): Promise<void> {
    for (let made = 0; made < invocations;) {
      // Bursts and lulls.
      const burst = this.#below(20) === 0 ? this.#below(30) : this.#below(3);
      for (let n = 0; n < burst; n++, made++) this.#invoke();
      if (this.#below(60) === 0) this.#rescale();
      if (this.#below(80) === 0) this.#reserve();
      if (this.#below(100) === 0) this.#deploy(this.#below(this.#deployments.length));
      await this.#step(this.#below(300) === 0 ? this.#below(5_000) : this.#below(20));
    }
  }

  async drain(): Promise<void> {
    const drained = this.engine.drain(2_000);
    this.#invoke();
    let done = false;
    void drained.then(() => (done = true));
    await this.#step(4_500);
    assert.ok(done, 'the drain has not finished in its time');
    await this.#step(20_000);
    for (const [id, call] of this.calls) {
      assert.ok(call.abandoned || call.outcome, `${id} has never been answered`);
      assert.ok(call.startedMs === undefined || call.reported, `${id} has never ended`);
    }
    const { instances, templates } = this.sandboxes.counts;
    assert.deepEqual({ instances, templates }, { instances: 0, templates: 0 });
    assert.deepEqual(this.engine.stats(), []);
    const { running, waiting, instances: counted, committedMiB, boots } = this.engine.load();
    assert.deepEqual({ running, waiting, counted, committedMiB, boots }, { ...NOTHING, boots: { going: 0, waiting: 0 } });
    assert.equal(this.#running, 0);
  }

  #invoke(): void {
    const deployment = this.#deployments[this.#below(this.#deployments.length)]!;
    const requestId = `r${this.calls.size}`;
    const kind = this.#below(KINDS);
    const call: Call = { deployment, arrivedMs: this.clock.monotonicMs(), goesOn: GOES_ON.has(kind), abandoned: false };
    this.calls.set(requestId, call);
    // Now and then one that takes long, also behind those that were short.
    const usualMs = this.#short ? 2 : 60;
    const ms = this.#below(this.#short ? 40 : 8) === 0 ? this.#below(1_500) : this.#below(usualMs);
    const event = Buffer.from(JSON.stringify({ ms, kind }));
    const handle = this.engine.invoke(
      { deployment, event, requestId, logTail: this.#below(4) === 0 },
      {
        end: (outcome) => this.#ended(requestId, call, outcome),
        ...(this.#below(2) === 0 && { streamChunk: () => assert.ok(!call.abandoned && !call.outcome) }),
      },
    );
    if (this.#below(10) === 0) {
      handle.pause();
      this.clock.after(this.#below(200), () => handle.resume());
    }
    if (this.#below(25) === 0) {
      this.clock.after(this.#below(100), () => {
        call.abandoned = true;
        handle.abandon();
      });
    }
  }

  #ended(requestId: string, call: Call, outcome: Outcome): void {
    const nowMs = this.clock.monotonicMs();
    assert.equal(call.outcome, undefined, `${requestId} has ended twice`);
    assert.ok(!call.abandoned, `${requestId} was abandoned and still told`);
    call.outcome = outcome;
    this.history.push(`${nowMs} ${requestId} ${outcome.kind} ${'error' in outcome ? outcome.error?.errorType : ''}`);
    const { deployment } = call;
    if (call.startedMs !== undefined)
      assert.ok(nowMs - call.startedMs <= deployment.timeoutMs, `${requestId} has run ${nowMs - call.startedMs} ms`);
    // Queue, then timeout: longer than both together nobody waits. A boot that hangs is given up within the queue's age or its own.
    assert.ok(nowMs - call.arrivedMs <= LIMITS.queueAgeMs + deployment.timeoutMs, `${requestId} took ${nowMs - call.arrivedMs} ms`);
    if (!this.#faulty) {
      const how = outcome.kind === 'refused' ? outcome.code : outcome.kind === 'functionError' ? outcome.error.errorType : outcome.kind;
      const allowed = ['answered', 'streamed', 'TooManyRequestsException', 'ShuttingDown', 'Sandbox.Timedout', 'Thrown'];
      assert.ok(allowed.includes(how), how);
    }
  }

  #log(line: EngineLog): void {
    if (line.requestId === undefined) return;
    const call = this.calls.get(line.requestId)!;
    if (line.text.startsWith('START ')) {
      assert.equal(call.startedMs, undefined, `${line.requestId} has started twice`);
      call.startedMs = this.clock.monotonicMs();
      this.#running++;
      this.#count(call, 1);
    } else if (line.text.startsWith('REPORT ')) {
      assert.ok(call.startedMs !== undefined && !call.reported && (call.outcome === undefined || call.goesOn));
      call.reported = true;
      this.#running--;
      this.#count(call, -1);
    } else {
      assert.ok(call.startedMs !== undefined, 'a line before START');
    }
  }

  async #step(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= STEP_MS) {
      this.clock.advance(STEP_MS);
      // Only boots answer by promises; without one under way, nothing can be waiting to be told.
      await (this.sandboxes.counts.booting > 0 ? setImmediate() : undefined);
      this.#check();
    }
    await setImmediate();
    this.#check();
  }

  #check(): void {
    if (this.#failed.length > 0) throw this.#failed[0];
    const { instances, booting } = this.sandboxes.counts;
    this.#checkShares();
    assert.ok(instances <= LIMITS.maxInstancesTotal, `${instances} instances live`);
    const stats = this.engine.stats();
    assert.equal(new Set(stats.map((each) => each.deploymentId)).size, stats.length);
    for (const { queued, idle, busy, deploymentId } of stats) {
      assert.ok(queued <= LIMITS.queueDepth, `${queued} wait`);
      this.mostQueued = Math.max(this.mostQueued, queued);
      const { maxInstances = Infinity } = this.#known.get(deploymentId)!;
      assert.ok(idle + busy <= maxInstances, `${idle + busy} instances of ${maxInstances}`);
    }
    assert.ok(booting <= this.#known.size);
  }

  /** None begins beyond what is reserved for its function, or is left of the account to those without a reservation. */
  #checkShares(): void {
    const { shares } = this.engine.load();
    const reserved = [...this.#reserved.values()].reduce((sum, each) => sum + each, 0);
    const limits = [...this.#reserved, [undefined, LIMITS.concurrentInvocations - reserved]] as const;
    for (const [name, limit] of limits) {
      const { running, ...told } = this.#shareLoad(name, shares);
      assert.deepEqual(told, { limit });
      // Some have begun whose START is still to come.
      assert.ok(this.#runningUnder(name) <= running, `${this.#runningUnder(name)} of ${running} run`);
      const most = Math.max(limit, this.#mayRun.get(name) ?? 0);
      assert.ok(running <= most, `${running} invocations of ${name} run, and ${most} may`);
      this.#mayRun.set(name, Math.max(limit, running));
    }
    assert.equal(Object.keys(shares.reserved).length, this.#reserved.size);
  }

  #shareLoad(name: string | undefined, { unreserved, reserved } = this.engine.load().shares): ShareLoad {
    return name === undefined ? unreserved : reserved[name]!;
  }

  #runningUnder(name: string | undefined): number {
    if (name !== undefined) return this.#runningOf.get(name) ?? 0;
    return [...this.#runningOf].reduce((sum, [each, running]) => sum + (this.#reserved.has(each) ? 0 : running), 0);
  }

  #count({ deployment: { functionName } }: Call, more: number): void {
    this.#runningOf.set(functionName, (this.#runningOf.get(functionName) ?? 0) + more);
  }

  /** Made, changed, closed or taken back, while invocations run and wait. Those who wait of a function that is closed are refused. */
  #reserve(): void {
    const { functionName } = this.#deployments[this.#below(this.#deployments.length)]!;
    this.#reserved.delete(functionName);
    const left = [...this.#reserved.values()].reduce((rest, each) => rest - each, LIMITS.concurrentInvocations);
    const executions = this.#below(4);
    if (executions < 3 && executions + 1 < left) this.#reserved.set(functionName, executions);
    const before = this.engine.load().running;
    this.engine.reserve(functionName, this.#reserved.get(functionName));
    // What runs stays, under whatever it counts now, and others begin only where there is room.
    const { limit, running } = this.#shareLoad(this.#reserved.has(functionName) ? functionName : undefined);
    if (running > limit) assert.ok(running <= before);
    for (const name of [...this.#reserved.keys(), undefined]) this.#mayRun.set(name, this.#shareLoad(name).running);
    this.#check();
    if (this.#reserved.get(functionName) !== 0 || this.#short) return;
    const waiting = this.engine.stats().filter((each) => each.functionName === functionName && each.queued > 0);
    assert.deepEqual(waiting, []);
  }

  readonly #known = new Map<string, Deployment>();

  /** Numbers change while invocations run; that changes nothing for them. */
  #rescale(): void {
    const deployment = this.#deployments[this.#below(this.#deployments.length)]!;
    const scaling = { ...deployment.scaling, minInstances: this.#below(3), provisioned: this.#below(3) };
    this.engine.rescale({ ...deployment, scaling });
  }

  #deploy(index: number): void {
    const old = this.#deployments[index]!;
    const fresh = this.#deployment(index);
    this.#deployments = this.#deployments.with(index, fresh);
    void this.engine.retire(old.functionName, new Set([fresh.id]));
  }

  #deployment(index: number): Deployment {
    const concurrency = index === 0 ? 3 : 1;
    const id = `f${index}-${++this.#revision}`;
    const deployment: Deployment = {
      id,
      functionName: `f${index}`,
      version: '$LATEST',
      arn: `arn:aws:lambda:us-east-1:000000000000:function:f${index}`,
      timeoutMs: 1_000,
      ...(index % 2 === 1 && { maxInstances: index }),
      ...(index === 2 && { scaling: { minInstances: 1, scaleDownDelayMs: 1_000 } }),
      ...(index === 4 && { scaling: { provisioned: 2, maxInstances: 4 } }),
      spec: {
        label: id,
        runtime: 'nodejs26.x',
        handler: 'index.handler',
        codeDirectory: '/code',
        layerDirectories: [],
        environment: {},
        memoryMiB: 128,
        tmpMiB: 512,
        initTimeoutMs: 500,
        concurrency,
      },
    };
    this.#known.set(id, deployment);
    return deployment;
  }

  #below(limit: number): number {
    return Math.floor((Buffer.from(this.#random.bytes(4)).readUInt32LE(0) / 2 ** 32) * limit);
  }
}

const KINDS = 10;
const GOES_ON = new Set([3, 4]);

/** Answers, throws, streams or goes on, as the event says. */
const work: SimFunction = {
  load: (init) => {
    init.log('init');
    return () => (call) => {
      const { ms, kind } = call.input() as { ms: number; kind: number };
      call.log('begun');
      if (kind === 0) {
        call.fail({ errorType: 'Thrown', errorMessage: 'by the function' });
      } else if (kind < 3) {
        call.streamHead({ contentType: 'text/plain' });
        const write = (left: number): void => {
          if (left === 0) call.streamEnd();
          else if (call.streamChunk(Buffer.from('chunk'))) call.after(ms / 4, () => write(left - 1));
          else call.drained(() => write(left - 1));
        };
        write(4);
      } else if (GOES_ON.has(kind)) {
        call.goesOn();
        call.after(ms / 2, () => call.respond({ ms }));
        call.after(ms, () => call.over());
      } else {
        call.after(ms, () => call.respond({ ms }));
      }
    };
  },
};
