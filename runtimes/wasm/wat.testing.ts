/** Modules from their text, for tests. */
import wabt from 'wabt';
import { NO_GRANTS } from './grants.ts';
import { makeFunction } from './handler.ts';
import type { FunctionOptions } from './handler.ts';

const tools = await wabt();

export function binaryOf(wat: string): Uint8Array {
  const module = tools.parseWat('test.wat', wat, {
    simd: true,
    bulk_memory: true,
    reference_types: true,
    mutable_globals: true,
    multi_value: true,
  });
  try {
    return module.toBinary({ write_debug_names: true }).buffer;
  } finally {
    module.destroy();
  }
}

const MiB = 1024 * 1024;

export type Tried = {
  /** Invokes it with an event, and puts it back. The answer as text. */
  readonly call: (event?: string) => string;
  /** What it has written to its log. */
  readonly log: () => string;
};

/** A function of a module in text, or of bytes. */
export function functionOf(source: string | Uint8Array, options: Partial<FunctionOptions> = {}): Tried {
  let logged = '';
  const bytes = typeof source === 'string' ? binaryOf(source) : source;
  const { invoke, reset } = makeFunction(bytes, {
    file: 'test.wasm',
    entry: undefined,
    environment: {},
    grants: NO_GRANTS,
    memoryBytes: 64 * MiB,
    log: (part) => (logged += Buffer.from(part).toString('utf8')),
    ...options,
  });
  return {
    call(event = '{}') {
      try {
        return Buffer.from(invoke(Buffer.from(event))).toString('utf8');
      } finally {
        reset();
      }
    },
    log: () => logged,
  };
}
