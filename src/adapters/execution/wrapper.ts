import { runtimeFamily } from '../../kernel/mod.ts';
import type { SandboxSpec } from '../../ports/mod.ts';
import { EXEC_WRAPPER } from '../../protocol/mod.ts';

/** The wrapper of a function. Undefined: it has none, or its runtime is its own, which does about the variable what it likes. */
export function wrapperOf({ runtime, environment }: SandboxSpec): string | undefined {
  const family = runtimeFamily(runtime);
  return family === 'node' || family === 'python' ? environment[EXEC_WRAPPER] || undefined : undefined;
}
