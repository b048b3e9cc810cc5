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
 *     ...))
 */
const ENCODED = [
  'AGFzbQEAAAABEgNgBH9/f38Bf2ACf38Bf2AAAAJvAxZ3YXNpX3NuYXBzaG90X3ByZXZpZXcxB2ZkX3JlYWQAABZ3YXNpX3NuYXBzaG90X3ByZX',
  'ZpZXcxCGZkX3dyaXRlAAAWd2FzaV9zbmFwc2hvdF9wcmV2aWV3MRFlbnZpcm9uX3NpemVzX2dldAABAwIBAgUDAQABBgYBfwFBAAsHEwIGbWVt',
  'b3J5AgAGaGFuZGxlAAMKRwFFACMAQQFqJABBAUAAGkEQQRQQAhpBAEHAADYCAEEEQYAgNgIAQQBBAEEBQQgQABpBBEEIKAIANgIAQQFBAEEBQQ',
  'gQARoL',
].join('');

export const ECHO: Buffer = Buffer.from(ENCODED, 'base64');
