/** What a running platform holds of its machine, as seen from outside. */
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { below as processesBelow, readProcesses } from '../../tools/processes.ts';
import type { Platform } from './cli-platform.ts';

export type Footprint = {
  /** Below the platform: zygotes, keepers, templates, instances, by their titles. */
  readonly processes: readonly string[];
  /** Kind of descriptor -> how many, without connections, which are their clients' to close. */
  readonly descriptors: Readonly<Record<string, number>>;
  /** Without those that other tests make in their directories at the same time. */
  readonly mounts: { readonly own: number; readonly host: number };
  /** Directories and files below the data directory, by the part they belong to. */
  readonly run: readonly string[];
  readonly packages: readonly string[];
  readonly blobs: readonly string[];
  readonly logs: readonly string[];
};

export function footprint({ process: { pid }, data }: Platform): Footprint {
  return {
    processes: descendants(pid!).map(titleOf).toSorted(),
    descriptors: descriptorsOf(pid!),
    mounts: { own: mountsOf(pid!, data), host: mountsOf('self', data) },
    run: below(join(data, 'run')),
    packages: readdirSync(join(data, 'code')).toSorted(),
    blobs: below(join(data, 'blobs')).filter((path) => /[0-9a-f]{64}$/.test(path)),
    logs: below(join(data, 'logs')),
  };
}

/** The processes that come from `pid`, each before its children; those that are dead but not collected count. */
export const descendants = (pid: number): number[] => processesBelow(pid).map((process) => process.pid);

/** Resident memory, MiB. */
export const memoryMiB = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0) / 1024;

export const isAlive = (pid: number): boolean => {
  const state = readProcesses().find((process) => process.pid === pid)?.state;
  return state !== undefined && state !== 'Z' && state !== 'X';
};

function titleOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'latin1').trim();
  } catch {
    return '(gone)';
  }
}

function descriptorsOf(pid: number): Record<string, number> {
  const kinds: Record<string, number> = {};
  const connections = new Set(['tcp', 'tcp6'].flatMap((table) => connectionsIn(readFileSync(`/proc/${pid}/net/${table}`, 'latin1'))));
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    const target = targetOf(`/proc/${pid}/fd/${fd}`);
    if (target === undefined || connections.has(target)) continue;
    const kind = target.replace(/:?\[?\d+\]?$/, '');
    kinds[kind] = (kinds[kind] ?? 0) + 1;
  }
  return kinds;
}

/** The sockets of a table of the kernel that do more than listen, as links of descriptors name them. */
function connectionsIn(table: string): string[] {
  const LISTEN = '0A';
  const rows = table
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/));
  return rows.filter((fields) => fields[3] !== LISTEN).map((fields) => `socket:[${fields[9]}]`);
}

function targetOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    // Closed between two looks.
    return undefined;
  }
}

function mountsOf(pid: number | 'self', data: string): number {
  const points = readFileSync(`/proc/${pid}/mountinfo`, 'latin1')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '');
  return points.filter((point) => point.startsWith(data) || !point.startsWith(join(tmpdir(), 'hearth-'))).length;
}

const below = (directory: string): string[] => readdirSync(directory, { recursive: true, encoding: 'utf8' }).toSorted();
