import { setImmediate } from 'node:timers/promises';
import { SimMachine, SimSandboxes } from '../adapters/simulated/mod.ts';
import type { SimFunction, SimHandler, SimMachineState, SimSandboxesOptions } from '../adapters/simulated/mod.ts';
import { manualClock, seededRandom } from '../kernel/mod.ts';
import type { ManualClock } from '../kernel/mod.ts';
import { entriesOf, startOfLone, startOfReport } from '../ports/mod.ts';
import type { StartRecord } from '../ports/mod.ts';
import type { StreamHead } from '../protocol/mod.ts';
import { createEngine } from './mod.ts';
import type {
  Deployment,
  Engine,
  EngineLimits,
  EngineListener,
  EngineLog,
  EngineOptions,
  Invocation,
  InvocationHandle,
  Outcome,
} from './mod.ts';

/** An engine over simulated sandboxes on a clock that stands still until the test moves it. */
export type Bench = {
  readonly engine: Engine;
  readonly clock: ManualClock;
  readonly sandboxes: SimSandboxes;
  /** What the machine shows, to be changed. */
  readonly machine: SimMachineState;
  readonly lines: EngineLog[];
  /** As they are recorded: when their invocations have ended. */
  readonly starts: StartRecord[];
  /** Moves time on in steps, letting promises settle at each. */
  pass(ms: number): Promise<void>;
  call(deployment: Deployment, event?: unknown, more?: Partial<Invocation> & { listener?: Partial<EngineListener> }): Call;
};

/** What an invocation's listener was told. */
export type Call = {
  readonly handle: InvocationHandle;
  readonly outcomes: Outcome[];
  readonly heads: StreamHead[];
  readonly chunks: string[];
  /** The only outcome, its payload as text; throws when there isn't exactly one. */
  outcome(): Outcome & { readonly text?: string };
};

export function bench(options: {
  readonly functions: Readonly<Record<string, SimFunction>>;
  readonly limits?: Partial<EngineLimits>;
  /** Whether somebody reads the logs along; default true. */
  readonly followed?: boolean;
  readonly sandboxes?: Partial<SimSandboxesOptions>;
  readonly machine?: Partial<SimMachineState>;
  readonly warming?: EngineOptions['warming'];
}): Bench {
  const clock = manualClock();
  const random = seededRandom(1);
  const sandboxes = new SimSandboxes({ clock, random, functions: (spec) => options.functions[spec.handler]!, ...options.sandboxes });
  const machine = new SimMachine(clock, { limitMiB: 65_536, availableMiB: 65_536, ...options.machine });
  const lines: EngineLog[] = [];
  const starts: StartRecord[] = [];
  const engine = createEngine({
    sandboxes,
    machine,
    clock,
    random,
    log: (line) => void lines.push(line),
    report(report) {
      for (const entry of entriesOf(report)) lines.push({ ...entry, version: report.version } as EngineLog);
      starts.push(...[startOfReport(report)].filter((start) => start !== undefined));
    },
    started: (start) => void starts.push(startOfLone(start)),
    isFollowed: () => options.followed ?? true,
    ...(options.limits && { limits: options.limits }),
    ...(options.warming && { warming: options.warming }),
  });
  return {
    engine,
    clock,
    sandboxes,
    machine: machine.state,
    lines,
    starts,
    async pass(ms) {
      await setImmediate();
      for (let left = ms; left > 0; left -= STEP_MS) {
        clock.advance(Math.min(STEP_MS, left));
        await setImmediate();
      }
    },
    call(deployment, event = {}, { listener, ...more } = {}) {
      const outcomes: Outcome[] = [];
      const heads: StreamHead[] = [];
      const chunks: string[] = [];
      const handle = engine.invoke(
        { deployment, event: Buffer.from(JSON.stringify(event)), ...more },
        {
          // The payload is a view: keep what it said.
          end: (outcome) => void outcomes.push('payload' in outcome ? { ...outcome, payload: Buffer.from(outcome.payload) } : outcome),
          ...listener,
          ...(listener?.streamHead && { streamHead: (head: StreamHead) => void heads.push(head) }),
          ...(listener?.streamChunk && { streamChunk: (chunk: Buffer) => void chunks.push(chunk.toString()) }),
        },
      );
      return {
        handle,
        outcomes,
        heads,
        chunks,
        outcome() {
          if (outcomes.length !== 1) throw new Error(`the invocation has ended ${outcomes.length} times`);
          const outcome = outcomes[0]!;
          return 'payload' in outcome ? { ...outcome, text: outcome.payload.toString() } : outcome;
        },
      };
    },
  };
}

/** Fine enough that a boot, whose result is a promise, is told before the next thing happens. */
const STEP_MS = 1;

let deployments = 0;

export function deployment(
  handler: string,
  more: Partial<Omit<Deployment, 'spec'>> & { readonly spec?: Partial<Deployment['spec']> } = {},
): Deployment {
  const { spec, ...rest } = more;
  return {
    id: `d${++deployments}`,
    functionName: handler,
    version: '$LATEST',
    arn: `arn:aws:lambda:us-east-1:000000000000:function:${handler}`,
    timeoutMs: 3_000,
    ...rest,
    spec: {
      label: `${handler}:$LATEST`,
      runtime: 'nodejs26.x',
      handler,
      codeDirectory: '/code',
      layerDirectories: [],
      environment: {},
      memoryMiB: 128,
      tmpMiB: 512,
      initTimeoutMs: 10_000,
      concurrency: 1,
      ...spec,
    },
  };
}

/** A function without init of its own. */
export const sim = (handler: SimHandler, more: Partial<SimFunction> = {}): SimFunction => ({ load: () => () => handler, ...more });

export const echo = sim((call) => call.respond(call.input()));

/** Answers after `event.ms`. */
export const slow = sim((call) => call.after(Number(call.input()['ms']), () => call.respond('done')));
