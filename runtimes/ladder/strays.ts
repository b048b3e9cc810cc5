/**
 * Finds processes that belong to no instance. A process can leave its process group, its session and its parent, but not the mount
 * namespace its instance was put into, which the kernel shows to everybody: each has a /tmp of its own, on a device of its own.
 */
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { libc } from './libc.ts';

const SIGKILL = 9;
/** More than that, and ending them one by one could take as long as they take to fork: then all of the sandbox is to go. */
const STRAYS = 256;

export type StraysOptions = {
  /** Where the kernel shows the processes. */
  readonly proc: string;
  /** Processes to leave alone, whatever they have as /tmp. */
  readonly spared: ReadonlySet<number>;
  /** Devices of the /tmp of those that may live. */
  readonly living: ReadonlySet<string>;
};

/** Ends all others of this pid namespace. False: there are too many. */
export function endStrays({ proc, spared, living }: StraysOptions): boolean {
  const ended = new Set<number>();
  for (let before = -1; ended.size !== before;) {
    before = ended.size;
    for (const name of readdirSync(proc)) {
      const pid = Number(name);
      if (!Number.isInteger(pid) || spared.has(pid) || ended.has(pid)) continue;
      const device = tmpDevice(`${proc}/${pid}`);
      if (device === undefined || living.has(device)) continue;
      if (ended.size >= STRAYS) return false;
      libc.kill(pid, SIGKILL);
      ended.add(pid);
    }
  }
  return true;
}

/** The device number of the /tmp that this process sees, as the kernel writes it for another one. */
export function ownTmpDevice(): string {
  const { dev } = statSync('/tmp', { bigint: true });
  // Numbers of devices are packed: 8 bits of the minor one, 12 of the major one, the other 12 of the minor one (makedev(3)).
  return `${(dev >> 8n) & 0xfffn}:${(dev & 0xffn) | ((dev >> 12n) & 0xfff00n)}`;
}

/** The device number of the /tmp that a process sees, by its directory in /proc. Undefined: it has ended. */
function tmpDevice(directory: string): string | undefined {
  let mounts: string;
  try {
    mounts = readFileSync(`${directory}/mountinfo`, 'latin1');
  } catch {
    return undefined;
  }
  // Mounts on the same place cover each other: the last one is seen.
  return mounts
    .split('\n')
    .map((line) => line.split(' '))
    .findLast((fields) => fields[4] === '/tmp')?.[2];
}
