/** What on this machine limits the memory, the processes and the processor's time of an instance. */
import { silentLog } from '../../kernel/mod.ts';
import { Cgroups, ownHierarchies } from './cgroups.ts';
import type { Controller } from './cgroup-tree.ts';
import type { ProbeResult } from './probe.ts';

const WITHOUT: Readonly<Record<Controller, { readonly name: string; readonly detail: string }>> = {
  memory: { name: 'memory limit', detail: 'for each process by itself (RLIMIT_DATA), not for an instance with all its processes' },
  pids: { name: 'process limit', detail: 'for all instances of a function version together (RLIMIT_NPROC)' },
  cpu: { name: 'processor shares', detail: 'the same for all instances, whatever their memory' },
};

/** All of it works in some way: a remedy says how it gets better. */
export async function probeLimits(): Promise<readonly ProbeResult[]> {
  const cgroups = Cgroups.open({ log: silentLog, hierarchies: ownHierarchies() });
  const findings = (['memory', 'pids', 'cpu'] as const).map((controller): ProbeResult => {
    const { name, detail } = WITHOUT[controller];
    const version = cgroups.versionOf(controller);
    if (version === undefined) return { name, ok: true, detail, remedy: remedy() };
    return { name, ok: true, detail: `for each instance, by a control group (version ${version})` };
  });
  await cgroups.close();
  return findings;
}

const remedy = (): string =>
  process.getuid!() === 0
    ? 'For limits of an instance: a kernel with the controller, and a control group file system that is not mounted read-only.'
    : 'For limits of an instance: a service of systemd with Delegate=yes, or systemd-run --user --scope -p Delegate=yes hearth up.';
