/** A module for the zygote's rehearsal: what it does, most functions do. */
import { ECHO } from './echo.ts';
import { NO_GRANTS } from './grants.ts';
import { makeFunction } from './handler.ts';
import type { RawHandler } from './handler.ts';

const MEMORY_BYTES = 1024 * 1024;

export const rehearsalFunction = (): RawHandler =>
  makeFunction(ECHO, {
    file: 'rehearsal.wasm',
    entry: undefined,
    environment: {},
    grants: NO_GRANTS,
    memoryBytes: MEMORY_BYTES,
    log: () => {},
  });
