/** The engine over real sandboxes, as the platform runs it, without what is around it. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { LinuxSandboxes, probeLinux } from '../../src/adapters/linux/mod.ts';
import { createEngine } from '../../src/engine/mod.ts';
import type { Deployment, Engine, EngineLimits, EngineLog, Outcome, Scaling } from '../../src/engine/mod.ts';
import { systemClock, systemRandom } from '../../src/kernel/mod.ts';
import type { CapacityClass } from '../../src/policy/mod.ts';
import { closeAfter } from '../closing.ts';
import { temporaryDirectory } from '../temporary.ts';

export type Place = {
  readonly engine: Engine;
  readonly lines: EngineLog[];
  /** With a minute for each call. */
  deployment(source: string, scaling?: Partial<Scaling>, more?: Partial<Deployment['spec']>, capacityClass?: CapacityClass): Deployment;
  call(deployment: Deployment, event?: unknown, id?: string): Promise<Answer>;
};

export type Answer = Omit<Outcome, 'payload'> & { readonly value?: unknown };

/** Undefined, and the test is skipped with the reason, where this machine can't isolate functions. */
export async function openEngine(t: TestContext, limits: Partial<EngineLimits> = {}): Promise<Place | undefined> {
  if (process.platform !== 'linux') {
    t.skip('sandboxes need Linux');
    return undefined;
  }
  const missing = (await probeLinux()).find(({ ok }) => !ok);
  if (missing) {
    t.skip(`this machine cannot isolate functions: ${missing.name}`);
    return undefined;
  }
  const directory = temporaryDirectory(t);
  const packages = join(directory, 'packages');
  mkdirSync(packages);
  const sandboxes = await LinuxSandboxes.open({ directory: join(directory, 'run'), packages });
  closeAfter(t, () => sandboxes.close());
  const lines: EngineLog[] = [];
  const engine = createEngine({ sandboxes, clock: systemClock, random: systemRandom, log: (line) => void lines.push(line), limits });
  closeAfter(t, () => engine.drain(0));
  let made = 0;
  return {
    engine,
    lines,
    deployment(source, scaling = {}, more = {}, capacityClass = 'standard') {
      const codeDirectory = join(packages, `code-${++made}`);
      mkdirSync(codeDirectory);
      writeFileSync(join(codeDirectory, 'index.mjs'), source);
      const named = { functionName: `f${made}`, version: '$LATEST', arn: `arn:aws:lambda:us-east-1:000000000000:function:f${made}` };
      const fixed = { label: `f${made}`, runtime: 'nodejs26.x', handler: 'index.handler', layerDirectories: [], environment: {} };
      const spec = { ...fixed, codeDirectory, memoryMiB: 128, tmpMiB: 512, initTimeoutMs: 60_000, concurrency: 1, ...more };
      return { id: `d${made}`, ...named, timeoutMs: 60_000, scaling, capacity: { class: capacityClass, labels: [] }, spec };
    },
    call: (deployment, event = {}, requestId = systemRandom.uuid()) =>
      new Promise((resolve) => {
        const end = (outcome: Outcome) => {
          if (!('payload' in outcome)) return resolve(outcome);
          const { payload, ...rest } = outcome;
          resolve({ ...rest, value: JSON.parse(payload.toString()) as unknown });
        };
        engine.invoke({ deployment, event: JSON.stringify(event), requestId }, { end });
      }),
  };
}
