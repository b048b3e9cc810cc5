import type { Clock } from '../../kernel/mod.ts';
import type { BootListener, BootResult, SandboxSpec } from '../../ports/mod.ts';
import { bootProgram, startModule } from '../execution/mod.ts';
import type { LinkedInstance } from '../link/mod.ts';
import type { Environments } from './environments.ts';
import type { FunctionProcess } from './function-process.ts';
import type { PlainError } from './plain-runtime.ts';

export type ExtendedOptions = {
  readonly clock: Clock;
  readonly environments: Environments;
  /** Throws when the operating system refuses. */
  readonly launch: (spec: SandboxSpec) => FunctionProcess | PlainError;
  /** It belongs to this instance from now on. */
  readonly watch: (process: FunctionProcess, instance: LinkedInstance) => void;
};

/** Functions that are modules, with external extensions or a wrapper: their process begins when those extensions have registered. */
export async function bootExtended(
  { clock, environments, launch, watch }: ExtendedOptions,
  spec: SandboxSpec,
  external: readonly string[],
  listener: BootListener,
): Promise<BootResult> {
  const start = (log: Parameters<typeof startModule>[0]['log']) => {
    const opened = environments.open(spec, external);
    const { environment } = opened;
    let process: FunctionProcess;
    return startModule({
      clock,
      spec,
      environment,
      start: 'spawn',
      log,
      begin: async (awaited) => {
        const given = await opened.spec;
        if (environment.failed) return environment.failed;
        awaited.steps.add('process ordered');
        const launched = launch(given);
        if ('errorType' in launched) return launched;
        process = launched;
        process.onOutput = (text, level) => environment.functionLine(text, level);
        opened.attach(process);
        if (!awaited.alive) process.kill();
        return process;
      },
      became: (instance) => watch(process, instance),
      end: (wanted) => opened.end(wanted),
    });
  };
  return await bootProgram(clock, start, listener);
}
