/**
 * The walls around user code as data, for templates that are not Node's: what is let through, what a process may take, what keeps siblings apart.
 * Those templates only put them up: there is one description of them, and it is here.
 */
import { domain } from './landlock.ts';
import { OF_THE_RUNTIME } from './extension-environment.ts';
import { FIXED_LIMITS } from './limits.ts';
import { encode, userCode } from './seccomp.ts';
import { architecture, SYSCALLS } from './syscalls.ts';

export type Policy = {
  /** The seccomp filter's instructions (struct sock_filter), base64. */
  readonly filter: string;
  /** Pairs for setrlimit(2). */
  readonly limits: readonly (readonly [resource: number, most: number])[];
  /** struct landlock_ruleset_attr in base64, and flags of landlock_restrict_self(2); null: the kernel has no such domains. */
  readonly landlock: { readonly ruleset: string; readonly flags: number } | null;
  /** What extensions don't find in their environment. */
  readonly runtimeVariables: readonly string[];
  /** Numbers of the system calls that putting it up takes. */
  readonly syscalls: Readonly<Record<(typeof CALLS)[number], number>>;
};

const CALLS = ['capset', 'seccomp', 'landlock_create_ruleset', 'landlock_restrict_self'] as const;

/** The policy of this machine. */
export function policy(): Policy {
  const arch = architecture();
  const scopes = domain();
  return {
    filter: encode(userCode(arch)).toString('base64'),
    limits: FIXED_LIMITS,
    landlock: scopes ? { ruleset: scopes.ruleset.toString('base64'), flags: scopes.flags } : null,
    runtimeVariables: [...OF_THE_RUNTIME],
    syscalls: Object.fromEntries(CALLS.map((name) => [name, SYSCALLS[name][arch]])) as Policy['syscalls'],
  };
}
