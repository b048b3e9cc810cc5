/** Which kind of sandbox this machine gets. */
import { join } from 'node:path';
import type { Ahead } from './ahead.ts';
import type { Connected } from './way-out.ts';
import type { Clock, Log } from '../kernel/mod.ts';
import { asHearthError } from '../kernel/mod.ts';
import type { Sandboxes } from '../ports/mod.ts';

export type Driver = 'auto' | 'linux' | 'spawn';

export type DriverOptions = {
  readonly driver: Driver;
  /** For what the driver keeps while it runs. */
  readonly directory: string;
  /** Where the unpacked packages lie. */
  readonly packages: string;
  /** How many instances there may be. */
  readonly instances: number;
  readonly clock: Clock;
  readonly log: Log;
  /** Where connections out of sandboxes go. */
  readonly connected: Connected;
  /** What has been started already, in the hope of this driver. */
  readonly ahead?: Ahead | undefined;
};

/** `reason`: why `auto` took another driver than the best. Throws HearthError `SandboxFailed` when the driver asked for does not work here. */
export async function openSandboxes(options: DriverOptions): Promise<{ readonly sandboxes: Sandboxes; readonly reason?: string }> {
  switch (options.driver) {
    case 'linux':
      return { sandboxes: await openLinux(options) };
    case 'spawn':
      return { sandboxes: await openSpawn(options) };
    case 'auto':
      return await openBest(options);
  }
}

/** How many of `instances` this process has descriptors for. */
export async function roomFor(instances: number, log: Log): Promise<number> {
  if (process.platform !== 'linux') return instances;
  return (await import('../adapters/linux/mod.ts')).allowInstances(instances, log);
}

async function openBest(options: DriverOptions): Promise<{ readonly sandboxes: Sandboxes; readonly reason?: string }> {
  if (process.platform !== 'linux') {
    return { sandboxes: await openSpawn(options), reason: `sandboxes need Linux, and this is ${process.platform}` };
  }
  try {
    return { sandboxes: await openLinux(options) };
  } catch (thrown) {
    return { sandboxes: await openSpawn(options), reason: asHearthError(thrown).message };
  }
}

async function openLinux({ directory, packages, instances, clock, log, connected, ahead }: DriverOptions): Promise<Sandboxes> {
  const { LinuxSandboxes, selfTest } = await import('../adapters/linux/mod.ts');
  const sandboxes = await LinuxSandboxes.open({
    directory: join(directory, 'linux'),
    packages,
    instances,
    clock,
    log,
    connected,
    ahead: await ahead?.started,
  });
  try {
    await selfTest(sandboxes, packages);
  } catch (error) {
    await sandboxes.close();
    throw error;
  }
  return sandboxes;
}

async function openSpawn({ directory, clock, log, ahead }: DriverOptions): Promise<Sandboxes> {
  await ahead?.close();
  const { SpawnSandboxes } = await import('../adapters/spawn/mod.ts');
  return await SpawnSandboxes.open({ directory: join(directory, 'spawn'), clock, log });
}
