/** A module that answers its event: for the zygote's rehearsal, and for measuring starts. */
/**
 * (module
 *   (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
 *   (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
 *   (import "wasi_snapshot_preview1" "environ_sizes_get" (func $sizes (param i32 i32) (result i32)))
 *   (memory (export "memory") 1)
 *   (global $calls (mut i32) (i32.const 0))
 *   (func (export "handle")
 *     ;; counts, grows its memory, asks for its environment, and writes to standard output what it reads from standard input
 *     ...)
 *   (func (export "allocate") (param i32) (result i32) (i32.const 16384))
 *   (func (export "echo") (param i32 i32) (result i64)
 *     (i64.or (i64.shl (i64.extend_i32_u (local.get 0)) (i64.const 32)) (i64.extend_i32_u (local.get 1)))))
 */
const ENCODED = [
  'AGFzbQEAAAABHQVgBH9/f38Bf2ACf38Bf2AAAGABfwF/YAJ/fwF+Am8DFndhc2lfc25hcHNob3RfcHJldmlldzEHZmRfcmVhZAAAFndhc2lfc2',
  '5hcHNob3RfcHJldmlldzEIZmRfd3JpdGUAABZ3YXNpX3NuYXBzaG90X3ByZXZpZXcxEWVudmlyb25fc2l6ZXNfZ2V0AAEDBAMCAwQFAwEAAQYG',
  'AX8BQQALByUEBm1lbW9yeQIABmhhbmRsZQADCGFsbG9jYXRlAAQEZWNobwAFClsDRQAjAEEBaiQAQQFAABpBEEEUEAIaQQBBwAA2AgBBBEGAID',
  'YCAEEAQQBBAUEIEAAaQQRBCCgCADYCAEEBQQBBAUEIEAEaCwYAQYCAAQsMACAArUIghiABrYQL',
].join('');

export const ECHO: Buffer = Buffer.from(ENCODED, 'base64');
