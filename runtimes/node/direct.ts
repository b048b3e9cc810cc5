/**
 * What every invocation does, past Node. The trace is rewritten in place: glibc's setenv keeps every value that it was ever given, and an
 * instance would grow with each invocation.
 */
import * as ffi from 'node:ffi';
import { libc, pinned } from '../ladder/libc.ts';
import { uncurry } from '../ladder/uncurry.ts';
import type { Native } from './native.ts';

const { putenv } = libc;
const writeText = uncurry<Buffer, [string, number, number, BufferEncoding], number>((Buffer.prototype as Buffer).write);

const VARIABLE = '_X_AMZN_TRACE_ID=';
const MAX_TRACE_BYTES = 1024;
/** Part of the environment from the first trace on: never given back. */
const variable = pinned(VARIABLE.length + 3 * MAX_TRACE_BYTES + 1);
variable.buffer.write(VARIABLE);

/** uv_loop_t begins with a pointer, the number of active handles, the ends of a list, and the number of active requests, the same in all of libuv 1. */
const LOOP_BYTES = 40;
const HANDLES = 2;
const REQUESTS = 8;
const loop = new Uint32Array(ffi.toArrayBuffer(ffi.getCurrentEventLoop(), LOOP_BYTES, false));

export const direct: Native = {
  setTrace(trace) {
    if (trace.length > MAX_TRACE_BYTES) return false;
    const { buffer, address } = variable;
    buffer[VARIABLE.length + writeText(buffer, trace, VARIABLE.length, 3 * MAX_TRACE_BYTES, 'utf8')] = 0;
    // Each time: user code may have set or deleted the variable.
    return putenv(address) === 0;
  },
  // While an immediate runs, Node's handle of immediates is an active one.
  loopIsEmpty: () => loop[HANDLES]! <= 1 && loop[REQUESTS] === 0,
  requests: () => loop[REQUESTS]!,
};
