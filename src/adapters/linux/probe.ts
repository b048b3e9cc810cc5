import { existsSync, readFileSync } from 'node:fs';
import { release } from 'node:os';
import { SCOPES_SINCE, landlockVersion } from '../../../runtimes/ladder/landlock.ts';
import { probeLimits } from './probe-limits.ts';

export type ProbeResult = { readonly name: string; readonly ok: boolean; readonly detail: string; readonly remedy?: string };

/** What this machine offers for isolation, one finding each. `ok: false` comes with a remedy; with `ok: true` it says what would be better. */
export async function probeLinux(): Promise<readonly ProbeResult[]> {
  if (process.platform !== 'linux') {
    return [
      {
        name: 'kernel',
        ok: false,
        detail: `${process.platform}: the fork ladder needs Linux`,
        remedy: 'Run Hearth on Linux for isolation.',
      },
    ];
  }
  return [kernel(), architecture(), libc(), userNamespaces(), seccomp(), landlock(), ...(await probeLimits()), memoryOvercommit(), user()];
}

function kernel(): ProbeResult {
  const [major = 0, minor = 0] = release().split('.').map(Number);
  const ok = major > 5 || (major === 5 && minor >= 11);
  const result = { name: 'kernel', ok, detail: `Linux ${release()}` };
  return ok ? result : { ...result, remedy: 'Use Linux 5.11 or newer: overlay mounts in user namespaces came with it.' };
}

function architecture(): ProbeResult {
  const ok = process.arch === 'x64' || process.arch === 'arm64';
  const result = { name: 'architecture', ok, detail: process.arch };
  return ok ? result : { ...result, remedy: 'Use x64 or arm64.' };
}

function libc(): ProbeResult {
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
  const version = header.glibcVersionRuntime;
  if (version !== undefined) return { name: 'C library', ok: true, detail: `glibc ${version}` };
  return { name: 'C library', ok: false, detail: 'not glibc', remedy: 'Use a distribution with glibc.' };
}

function userNamespaces(): ProbeResult {
  const name = 'user namespaces';
  if (!existsSync('/proc/self/ns/user'))
    return { name, ok: false, detail: 'not in this kernel', remedy: 'Use a kernel with CONFIG_USER_NS.' };
  if (setting('/proc/sys/user/max_user_namespaces') === '0') {
    return { name, ok: false, detail: 'user.max_user_namespaces is 0', remedy: 'sysctl user.max_user_namespaces=10000' };
  }
  if (setting('/proc/sys/kernel/unprivileged_userns_clone') === '0') {
    return { name, ok: false, detail: 'kernel.unprivileged_userns_clone is 0', remedy: 'sysctl kernel.unprivileged_userns_clone=1' };
  }
  if (setting('/proc/sys/kernel/apparmor_restrict_unprivileged_userns') === '1') {
    const remedy = 'sysctl kernel.apparmor_restrict_unprivileged_userns=0, or an AppArmor profile for the node binary with "userns,"';
    return { name, ok: false, detail: 'AppArmor restricts unprivileged user namespaces', remedy };
  }
  return { name, ok: true, detail: 'allowed' };
}

function seccomp(): ProbeResult {
  const ok = existsSync('/proc/sys/kernel/seccomp/actions_avail');
  const result = { name: 'seccomp filters', ok, detail: ok ? 'in the kernel' : 'not in the kernel' };
  return ok ? result : { ...result, remedy: 'Use a kernel with CONFIG_SECCOMP_FILTER.' };
}

/** The walls between the instances of one sandbox; the others stand without it. */
function landlock(): ProbeResult {
  const ok = landlockVersion >= SCOPES_SINCE;
  const name = 'Landlock';
  if (ok) return { name, ok, detail: `version ${landlockVersion}` };
  const detail = 'without scopes for signals: instances of one function version can signal each other';
  return { name, ok: true, detail: `${landlockVersion === 0 ? 'not in the kernel, or off' : `version ${landlockVersion}`}; ${detail}` };
}

function memoryOvercommit(): ProbeResult {
  const ok = setting('/proc/sys/vm/overcommit_memory') !== '2';
  const result = { name: 'memory overcommit', ok, detail: ok ? 'allowed' : 'vm.overcommit_memory is 2: forks may be refused' };
  return ok ? result : { ...result, remedy: 'sysctl vm.overcommit_memory=0' };
}

function user(): ProbeResult {
  const root = process.getuid!() === 0;
  return {
    name: 'user',
    ok: true,
    detail: root ? 'root: every sandbox gets a user of its own' : 'ordinary: all sandboxes share this user, behind their walls',
  };
}

const setting = (path: string): string | undefined => (existsSync(path) ? readFileSync(path, 'latin1').trim() : undefined);
