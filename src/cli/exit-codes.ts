import type { HearthError } from '../kernel/mod.ts';

/** Documented in docs/cli.md; scripts rely on them. */
export const EXIT = { ok: 0, failed: 1, usage: 2, unreachable: 3, functionError: 4 } as const;

export function exitCodeOf(error: HearthError): number {
  switch (error.code) {
    case 'BadUsage':
      return EXIT.usage;
    case 'Unreachable':
      return EXIT.unreachable;
    default:
      return EXIT.failed;
  }
}
