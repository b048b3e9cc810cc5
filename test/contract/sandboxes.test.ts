import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { FUNCTION_STEPS, INSTANCE_STEPS, PROCESS_STEPS } from '../../src/adapters/link/mod.ts';
import { LinuxSandboxes, probeLinux, selfTest } from '../../src/adapters/linux/mod.ts';
import { SimSandboxes } from '../../src/adapters/simulated/mod.ts';
import { SpawnSandboxes } from '../../src/adapters/spawn/mod.ts';
import { seededRandom, silentLog, systemClock } from '../../src/kernel/mod.ts';
import type { Clock } from '../../src/kernel/mod.ts';
import type { Sandboxes } from '../../src/ports/mod.ts';
import { sandboxesContract } from './sandboxes-contract.ts';
import type { OpenPlace } from './sandboxes-contract.ts';
import { SIMULATED_FUNCTIONS } from './sandboxes-functions.ts';

const FUNCTIONS = join(import.meta.dirname, '../fixtures/functions');

/** As the system's, but what is awaited by it keeps the test running. */
const clock: Clock = {
  ...systemClock,
  after(delayMs, run) {
    const handle = setTimeout(run, delayMs);
    return { cancel: () => clearTimeout(handle) };
  },
};

sandboxesContract(
  'SimSandboxes',
  async () => {
    const sandboxes = new SimSandboxes({
      clock,
      random: seededRandom(1),
      functions: (spec) => SIMULATED_FUNCTIONS[basename(spec.codeDirectory)]!,
    });
    return { sandboxes, directory: '/functions', close: () => sandboxes.close() };
  },
  {
    starts: ['fork'],
    steps: [['ready heard'], ['fork ordered', 'instance ready']],
    processes: false,
    files: false,
  },
);

sandboxesContract(
  'SpawnSandboxes',
  () => withFiles(({ directory }) => SpawnSandboxes.open({ directory: join(directory, 'run'), log: silentLog, clock })),
  {
    starts: ['spawn'],
    steps: [
      ['process ordered', ...PROCESS_STEPS, 'ready heard'],
      ['process ordered', ...PROCESS_STEPS, 'ready heard', 'instance ready', 'event read', 'answered'],
    ],
    processes: true,
    files: true,
  },
);

sandboxesContract('LinuxSandboxes', openLinux, {
  starts: ['fork'],
  steps: [
    ['function given', ...FUNCTION_STEPS, 'ready heard'],
    ['fork ordered', ...INSTANCE_STEPS],
  ],
  processes: true,
  files: true,
});

async function openLinux(): Promise<OpenPlace | string> {
  const missing = (await probeLinux()).find((result) => !result.ok);
  if (missing) return `not on this machine: ${missing.name}: ${missing.detail}`;
  try {
    return await withFiles(async ({ directory, packages }) => {
      const sandboxes = await LinuxSandboxes.open({ directory: join(directory, 'run'), packages, clock, log: silentLog });
      try {
        await selfTest(sandboxes, packages);
        return sandboxes;
      } catch (error) {
        await sandboxes.close();
        throw error;
      }
    });
  } catch (error) {
    return `not on this machine: ${String(error)}`;
  }
}

type Directories = { readonly directory: string; readonly packages: string };

/** The functions in a directory of their own, which is removed with the sandboxes. */
async function withFiles(open: (directories: Directories) => Promise<Sandboxes>): Promise<OpenPlace> {
  const directory = await mkdtemp(join(tmpdir(), 'hearth-sandboxes-'));
  const packages = join(directory, 'packages');
  const clear = () => rm(directory, { recursive: true, force: true });
  try {
    await cp(FUNCTIONS, packages, { recursive: true });
    const sandboxes = await open({ directory, packages });
    return {
      sandboxes,
      directory: packages,
      async close() {
        await sandboxes.close();
        await clear();
      },
    };
  } catch (error) {
    await clear();
    throw error;
  }
}
