/** Functions that are WebAssembly modules: loaded by that runtime, with what the host says that they are given. */
import { NO_GRANTS } from '../wasm/grants.ts';
import type { Grants } from '../wasm/grants.ts';
import { wasm } from '../wasm/description.ts';
import { loadWasm } from '../wasm/handler.ts';
import type { Handler } from './load.ts';
import type { Loaded } from './loaded.ts';

type Settings = { readonly grants: Grants; readonly variables: readonly string[] };

const MiB = 1024 * 1024;
/** What of a function's memory the runtime around the module takes. */
const OWN_MEMORY_MIB = 32;
const DEFAULT_MEMORY_MIB = 128;

export type LoadedModule = { readonly loaded: Handler } & Pick<Loaded, 'afterBytes' | 'rehearse'>;

/** Throws LoadError and ModuleError. */
export async function loadModule(
  taskRoot: string,
  handler: string,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<LoadedModule> {
  const text = environment[wasm.settingsVariable];
  const { grants, variables }: Settings = text === undefined ? { grants: NO_GRANTS, variables: [] } : (JSON.parse(text) as Settings);
  const memoryMiB = Number(environment['AWS_LAMBDA_FUNCTION_MEMORY_SIZE'] ?? DEFAULT_MEMORY_MIB);
  const { invoke, reset, rehearse } = await loadWasm({
    taskRoot,
    handler,
    grants,
    environment: Object.fromEntries(variables.map((name) => [name, environment[name] ?? ''])),
    memoryBytes: (memoryMiB - OWN_MEMORY_MIB) * MiB,
    log: (bytes) => void process.stderr.write(bytes),
  });
  return { loaded: (event) => invoke(event as Uint8Array), afterBytes: reset, ...(rehearse && { rehearse }) };
}
