/** Which Python of this machine runs functions. Read by the host alone. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

export type Interpreter = {
  /** The program itself, links followed. */
  readonly file: string;
  /** `3.11` */
  readonly version: string;
  /** Directories with what it needs that are not below /usr: no more of where it was installed to, which may be a user's home. */
  readonly directories: readonly string[];
};

/** What is in those. */
const NEEDED = ['bin', 'lib', 'lib64'];
/** Where sandboxes have something of their own: what is below there on the host can't be seen inside. */
const TAKEN = /^\/(opt|tmp|var|proc|sys|dev|run|etc|lib|bin)?(\/|$)/;

/** The first with all that the runtime is written with. */
const OLDEST_MINOR = 9;
const NEWEST_MINOR = 14;
/** One that doesn't answer is none. */
const ASK_MS = 10_000;

/** Also whether it has what is a package of its own in some distributions, or is left out where a library was missing when it was built. */
const QUESTION = `
import ctypes, json, os, resource, socket, struct, sys
print(json.dumps([list(sys.version_info[:2]), os.path.realpath(sys.executable), sys.base_prefix, sys.base_exec_prefix]))`;

/**
 * For a runtime by its name in the Lambda API: the Python of just that version that is found first in `path`, or else the first that is new enough. A text: why
 * there is none.
 */
export async function findInterpreter(identifier: string, path = process.env['PATH'] ?? ''): Promise<Interpreter | string> {
  const wanted = identifier.replace(/^python/, '');
  const directories = path.split(delimiter).filter((directory) => directory.startsWith('/'));
  const places = (name: string) => directories.map((directory) => join(directory, name)).filter((file) => existsSync(file));
  let other: Interpreter | undefined;
  for (const file of [...places(`python${wanted}`), ...places('python3')]) {
    const found = await ask(file);
    if (found?.version === wanted) return found;
    other ??= found;
  }
  return (
    other ??
    `${identifier} needs Python 3.${OLDEST_MINOR} to 3.${NEWEST_MINOR} with ctypes, as python${wanted} or python3 in PATH: there is none`
  );
}

/** Undefined: it can't run functions. */
async function ask(file: string): Promise<Interpreter | undefined> {
  try {
    const { stdout } = await promisify(execFile)(file, ['-I', '-c', QUESTION], { timeout: ASK_MS, cwd: '/' });
    const [[major, minor], real, ...prefixes] = JSON.parse(stdout) as [[number, number], string, string, string];
    if (major !== 3 || minor < OLDEST_MINOR || minor > NEWEST_MINOR) return undefined;
    const elsewhere = [...new Set(prefixes)].filter((prefix) => prefix !== '/usr' && !prefix.startsWith('/usr/'));
    if (elsewhere.some((prefix) => TAKEN.test(prefix))) return undefined;
    const needed = elsewhere.flatMap((prefix) => NEEDED.map((name) => join(prefix, name))).filter((path) => existsSync(path));
    return { file: real, version: `${major}.${minor}`, directories: needed };
  } catch {
    // It does not run, or does not have all: a shim of a version manager that knows of no such version, for one.
    return undefined;
  }
}
