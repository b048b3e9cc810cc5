/** Sandboxes of either driver, over packages that a test makes. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { closeAfter } from '../closing.ts';
import { temporaryDirectory } from '../temporary.ts';
import { silentLog, systemClock } from '../../src/kernel/mod.ts';
import type { Sandboxes } from '../../src/ports/mod.ts';
import { LinuxSandboxes } from '../../src/adapters/linux/mod.ts';
import type { LinuxOptions } from '../../src/adapters/linux/mod.ts';
import { SpawnSandboxes } from '../../src/adapters/spawn/mod.ts';

export const DRIVERS = ['linux', 'spawn'] as const;
export type Driver = (typeof DRIVERS)[number];

export type Opened = {
  readonly sandboxes: Sandboxes;
  /** A new empty directory for a package. */
  readonly newPackage: () => Promise<string>;
};

/** They end with the test. */
export async function openDriver(
  t: TestContext,
  driver: Driver,
  { hierarchies, windDown }: Pick<LinuxOptions, 'hierarchies' | 'windDown'> = {},
): Promise<Opened> {
  const directory = temporaryDirectory(t);
  const packages = join(directory, 'packages');
  await mkdir(packages);
  const run = join(directory, 'run');
  const sandboxes =
    driver === 'linux'
      ? await LinuxSandboxes.open({ directory: run, packages, hierarchies, windDown })
      : await SpawnSandboxes.open({ directory: run, log: silentLog, clock: systemClock, windDown });
  closeAfter(t, () => sandboxes.close());
  let count = 0;
  const newPackage = async (): Promise<string> => {
    const made = join(packages, `package-${count++}`);
    await mkdir(made, { mode: 0o755 });
    return made;
  };
  return { sandboxes, newPackage };
}
