/** The machine as far as this system shows it, and how much of its memory functions may have. */
import { totalmem } from 'node:os';
import type { Clock } from '../kernel/mod.ts';
import type { Machine } from '../ports/mod.ts';

/** Of what this process may use of the machine (a container's share, where that is less), or a number. */
export type MemoryLimit = { readonly kind: 'part'; readonly percent: number } | { readonly kind: 'size'; readonly mib: number };

/** The rest is for the platform itself, and for files that are read often. */
export const DEFAULT_MEMORY: MemoryLimit = { kind: 'part', percent: 90 };

/** Undefined where it can't be looked at: then the limits alone say how much there is. */
export async function openMachine(clock: Clock): Promise<Machine | undefined> {
  if (process.platform !== 'linux') return undefined;
  const { LinuxMachine } = await import('../adapters/linux/mod.ts');
  return new LinuxMachine({ clock });
}

export function memoryMiB(limit: MemoryLimit, machine: Machine | undefined): number {
  if (limit.kind === 'size') return limit.mib;
  const allMiB = machine?.look().memory.limitMiB ?? totalmem() / 1024 / 1024;
  return (allMiB * limit.percent) / 100;
}
