/** Where in the machine's control groups this process is (cgroups(7), proc_pid_mountinfo(5)). */
import { join, resolve } from 'node:path';

export const CONTROLLERS = ['memory', 'pids', 'cpu'] as const;
export type Controller = (typeof CONTROLLERS)[number];

/** One mounted hierarchy. Version 1 has one for each controller or for a few of them, version 2 one for all. */
export type Hierarchy = {
  readonly version: 1 | 2;
  /** Where its root is mounted, as far as this process sees it. */
  readonly root: string;
  /** The directory of the group that this process is in. */
  readonly own: string;
  /** Those of CONTROLLERS that version 1 has mounted here. In version 2 a file of each group says it. */
  readonly controllers: readonly Controller[];
};

/** `cgroup`: /proc/self/cgroup; `mountinfo`: /proc/self/mountinfo. Of version 1 only hierarchies with a controller that is of use. */
export function readHierarchies(cgroup: string, mountinfo: string): Hierarchy[] {
  const paths = readPaths(cgroup);
  const found: Hierarchy[] = [];
  for (const { type, at, shows, options } of readMounts(mountinfo)) {
    const version = type === 'cgroup2' ? 2 : 1;
    const controllers = version === 2 ? [] : CONTROLLERS.filter((controller) => options.includes(controller));
    const path = version === 2 ? paths.get('') : paths.get(controllers[0] ?? '(none)');
    if (path === undefined || found.some((other) => other.root === at)) continue;
    found.push({ version, root: at, own: resolve(join(at, below(path, shows))), controllers });
  }
  return found;
}

/** Controller -> the path of this process's group. That of version 2 has no name. */
function readPaths(cgroup: string): ReadonlyMap<string, string> {
  const paths = new Map<string, string>();
  for (const line of cgroup.split('\n')) {
    const [, names, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (names !== undefined && path !== undefined) for (const name of names.split(',')) paths.set(name, path);
  }
  return paths;
}

type Mount = {
  readonly type: string;
  readonly at: string;
  /** The group that is its root. */
  readonly shows: string;
  readonly options: readonly string[];
};

function readMounts(mountinfo: string): Mount[] {
  return mountinfo.split('\n').flatMap((line) => {
    const [first = '', second = ''] = line.split(' - ');
    const [, , , shows, at] = first.split(' ').map(unescape);
    const [type, , options] = second.split(' ');
    if ((type !== 'cgroup' && type !== 'cgroup2') || at === undefined || shows === undefined) return [];
    return [{ type, at, shows, options: (options ?? '').split(',') }];
  });
}

/** Blanks and the like stand there in octal. */
const unescape = (text: string): string => text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 8)));

/** In a container the mount may show a part of the hierarchy only, and the path begins with that part or, in a namespace, does not. */
function below(path: string, shows: string): string {
  if (shows === '/') return path;
  return path === shows || path.startsWith(`${shows}/`) ? path.slice(shows.length) : '/';
}
