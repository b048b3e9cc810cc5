/** The thread on which the text of a module becomes binary: see wat.ts. */
import { parentPort, workerData } from 'node:worker_threads';
import wabt from 'wabt';

const FEATURES = {
  exceptions: true,
  mutable_globals: true,
  sat_float_to_int: true,
  sign_extension: true,
  simd: true,
  threads: true,
  multi_value: true,
  tail_call: true,
  bulk_memory: true,
  reference_types: true,
};

const tools = await wabt();
try {
  const module = tools.parseWat('module.wat', workerData as string, FEATURES);
  module.resolveNames();
  module.validate();
  // With the names of functions: stack traces show them.
  parentPort!.postMessage({ binary: module.toBinary({ write_debug_names: true }).buffer });
} catch (error) {
  parentPort!.postMessage({ wrong: (error as Error).message.trim() });
}
