/**
 * Keeps the instances of one sandbox from each other, who are one user and see each other's processes (landlock(7)): what is in a domain
 * can send signals to, trace, look into the memory of, and reach by abstract sockets, only what is in the same domain or one made below it.
 */
import { check, libc, pinned } from './libc.ts';
import { architecture, SYSCALLS } from './syscalls.ts';

const CREATE = BigInt(SYSCALLS.landlock_create_ruleset[architecture()]);
const RESTRICT = BigInt(SYSCALLS.landlock_restrict_self[architecture()]);

const ASK_VERSION = 1n;
/** The first that knows of scopes (Linux 6.12). */
export const SCOPES_SINCE = 6;
/** The first that can be told not to log what it refuses (Linux 6.15): else a function could fill the host's audit log. */
const QUIET_SINCE = 7;
/** LANDLOCK_RESTRICT_SELF_LOG_SAME_EXEC_OFF, LANDLOCK_RESTRICT_SELF_LOG_SUBDOMAINS_OFF. */
const QUIET = 1n | 4n;

// struct landlock_ruleset_attr: handled file rights, handled network rights, scopes.
const RULESET_BYTES = 24n;
const SCOPE_ABSTRACT_UNIX_SOCKET = 1;
const SCOPE_SIGNAL = 2;
const ruleset = pinned(Number(RULESET_BYTES));
ruleset.buffer.writeUInt32LE(SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL, 16);

/** What the kernel offers; 0: nothing, or it is switched off. */
export const landlockVersion = Math.max(0, Number(libc.syscall(CREATE, 0n, 0n, ASK_VERSION)));

const flags = landlockVersion >= QUIET_SINCE ? QUIET : 0n;

/** The same as data: what a domain is made of (struct landlock_ruleset_attr), and the flags of who enters it. Undefined: the kernel has none. */
export const domain = (): { readonly ruleset: Buffer; readonly flags: number } | undefined =>
  landlockVersion < SCOPES_SINCE
    ? undefined
    : { ruleset: Buffer.from(ruleset.buffer.subarray(0, Number(RULESET_BYTES))), flags: Number(flags) };

const toBigInt: (value: number) => bigint = BigInt;

/** Puts this process, and all that it starts, into a domain of its own; where the kernel has none nothing is done. Under no_new_privs. */
export function leaveSiblings(): void {
  if (landlockVersion < SCOPES_SINCE) return;
  const fd = check(libc.syscall(CREATE, ruleset.address, RULESET_BYTES, 0n), 'landlock_create_ruleset');
  check(libc.syscall(RESTRICT, toBigInt(fd), flags, 0n), 'landlock_restrict_self');
  libc.close(fd);
}
