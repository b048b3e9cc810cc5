/** A module for the zygote's rehearsal: what it does, most functions do. */
import { ECHO } from './echo.ts';
import { NO_GRANTS } from './grants.ts';
import { makeFunction } from './handler.ts';
import type { RawHandler } from './handler.ts';

const MEMORY_BYTES = 1024 * 1024;

/** `entry`: `handle`, by its standard streams, or `echo`, by its memory. */
export const rehearsalFunction = (entry: 'handle' | 'echo'): RawHandler =>
  makeFunction(ECHO, {
    file: 'rehearsal.wasm',
    entry,
    environment: {},
    grants: NO_GRANTS,
    memoryBytes: MEMORY_BYTES,
    log: () => {},
  });
