/** Components from the text of a core module and the WIT of what it imports, for tests. */
import { createRequire } from 'node:module';
import { binaryOf } from './wat.testing.ts';

/** What a test says when it is skipped; false: it isn't. */
export function missingTranslator(): string | false {
  try {
    createRequire(import.meta.url).resolve('@bytecodealliance/jco-transpile/component');
    return false;
  } catch {
    return 'the optional package @bytecodealliance/jco-transpile is not installed';
  }
}

type Tools = {
  componentEmbed(options: object): Promise<Uint8Array>;
  componentNew(module: Uint8Array, adapters: readonly unknown[]): Promise<Uint8Array>;
};

export async function componentOf(wat: string, wit: string): Promise<Uint8Array> {
  const name = '@bytecodealliance/jco-transpile/wasm-tools';
  const { componentEmbed, componentNew } = (await import(name)) as Tools;
  const embedded = await componentEmbed({ binary: binaryOf(wat), witSource: wit, world: 'it' });
  return componentNew(embedded, []);
}

/** As much of WASI's own as the components here use. */
const WASI = `
package wasi:io@0.2.0 {
  interface streams {
    variant stream-error { closed }
    resource input-stream { blocking-read: func(len: u64) -> result<list<u8>, stream-error>; }
    resource output-stream { blocking-write-and-flush: func(contents: list<u8>) -> result<_, stream-error>; }
  }
}
package wasi:random@0.2.0 {
  interface random { get-random-u64: func() -> u64; }
}
package wasi:cli@0.2.0 {
  interface stdin { use wasi:io/streams@0.2.0.{input-stream}; get-stdin: func() -> input-stream; }
  interface stdout { use wasi:io/streams@0.2.0.{output-stream}; get-stdout: func() -> output-stream; }
  interface run { run: func() -> result; }
}
package wasi:http@0.2.0 {
  interface types {
    use wasi:io/streams@0.2.0.{input-stream, output-stream};
    variant error-code { HTTP-request-denied, internal-error(option<string>) }
    resource fields { constructor(); }
    resource incoming-request {
      path-with-query: func() -> option<string>;
      consume: func() -> result<incoming-body>;
    }
    resource incoming-body { %stream: func() -> result<input-stream>; }
    resource outgoing-response {
      constructor(headers: fields);
      set-status-code: func(status: u16) -> result;
      body: func() -> result<outgoing-body>;
    }
    resource outgoing-body {
      write: func() -> result<output-stream>;
      finish: static func(this: outgoing-body, trailers: option<fields>) -> result<_, error-code>;
    }
    resource outgoing-request { constructor(headers: fields); }
    resource future-incoming-response {}
    resource response-outparam { set: static func(param: response-outparam, response: result<outgoing-response, error-code>); }
  }
  interface incoming-handler {
    use types.{incoming-request, response-outparam};
    handle: func(request: incoming-request, response-out: response-outparam);
  }
  interface outgoing-handler {
    use types.{outgoing-request, future-incoming-response, error-code};
    handle: func(request: outgoing-request, options: option<u32>) -> result<future-incoming-response, error-code>;
  }
}`;

const REALLOC = `(memory (export "memory") 2) (global $free (mut i32) (i32.const 4096))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
    (global.set $free (i32.add (local.get $at) (local.get 3)))
    (local.get $at))`;

/**
 * Answers a request by the first letter of its path: `e` with its body; `t` traps; `l` never ends; `n` sets no response, `f` an error; `u` does not
 * finish the body; `b` writes 7 MiB; `r` takes a random number; `o` asks elsewhere, and traps where that is not refused; `m` takes memory until there
 * is none, and traps beyond 8 MiB. The status is 200 and how often the instance was called.
 */
export const httpComponent = (): Promise<Uint8Array> =>
  componentOf(
    `(module
  (import "wasi:http/types@0.2.0" "[method]incoming-request.path-with-query" (func $path (param i32 i32)))
  (import "wasi:http/types@0.2.0" "[method]incoming-request.consume" (func $consume (param i32 i32)))
  (import "wasi:http/types@0.2.0" "[method]incoming-body.stream" (func $stream (param i32 i32)))
  (import "wasi:http/types@0.2.0" "[constructor]fields" (func $fields (result i32)))
  (import "wasi:http/types@0.2.0" "[constructor]outgoing-response" (func $response (param i32) (result i32)))
  (import "wasi:http/types@0.2.0" "[constructor]outgoing-request" (func $request (param i32) (result i32)))
  (import "wasi:http/types@0.2.0" "[method]outgoing-response.set-status-code" (func $status (param i32 i32) (result i32)))
  (import "wasi:http/types@0.2.0" "[method]outgoing-response.body" (func $body (param i32 i32)))
  (import "wasi:http/types@0.2.0" "[method]outgoing-body.write" (func $write (param i32 i32)))
  (import "wasi:http/types@0.2.0" "[static]outgoing-body.finish" (func $finish (param i32 i32 i32 i32)))
  (import "wasi:http/types@0.2.0" "[static]response-outparam.set" (func $set (param i32 i32 i32 i32 i32 i32)))
  (import "wasi:http/outgoing-handler@0.2.0" "handle" (func $send (param i32 i32 i32 i32)))
  (import "wasi:io/streams@0.2.0" "[method]input-stream.blocking-read" (func $read (param i32 i64 i32)))
  (import "wasi:io/streams@0.2.0" "[method]output-stream.blocking-write-and-flush" (func $put (param i32 i32 i32 i32)))
  (import "wasi:io/streams@0.2.0" "[resource-drop]output-stream" (func $drop (param i32)))
  (import "wasi:random/random@0.2.0" "get-random-u64" (func $random (result i64)))
  ${REALLOC}
  (global $calls (mut i32) (i32.const 0))
  (func (export "wasi:http/incoming-handler@0.2.0#handle") (param $in i32) (param $out i32)
    (local $letter i32) (local $from i32) (local $length i32) (local $answer i32) (local $sink i32) (local $to i32) (local $i i32)
    (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
    (call $path (local.get $in) (i32.const 16))
    (local.set $letter (i32.load8_u (i32.add (i32.load (i32.const 20)) (i32.const 1))))
    (if (i32.eq (local.get $letter) (i32.const 116)) (then unreachable))
    (if (i32.eq (local.get $letter) (i32.const 108)) (then (loop $again (br $again))))
    (if (i32.eq (local.get $letter) (i32.const 110)) (then (return)))
    (if (i32.eq (local.get $letter) (i32.const 102))
      (then (call $set (local.get $out) (i32.const 1) (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0)) (return)))
    (if (i32.eq (local.get $letter) (i32.const 114)) (then (drop (call $random))))
    (if (i32.eq (local.get $letter) (i32.const 111)) (then
      (call $send (call $request (call $fields)) (i32.const 0) (i32.const 0) (i32.const 16))
      (if (i32.ne (i32.load8_u (i32.const 16)) (i32.const 1)) (then unreachable))
      (if (i32.ne (i32.load8_u (i32.const 20)) (i32.const 0)) (then unreachable))))
    (if (i32.eq (local.get $letter) (i32.const 109)) (then
      (block $full (loop $more
        (br_if $full (i32.eq (memory.grow (i32.const 16)) (i32.const -1)))
        (if (i32.gt_u (memory.size) (i32.const 128)) (then unreachable))
        (br $more)))))
    (call $consume (local.get $in) (i32.const 16))
    (call $stream (i32.load (i32.const 20)) (i32.const 16))
    (call $read (i32.load (i32.const 20)) (i64.const 65536) (i32.const 16))
    (if (i32.eqz (i32.load8_u (i32.const 16))) (then
      (local.set $from (i32.load (i32.const 20)))
      (local.set $length (i32.load (i32.const 24)))))
    (local.set $answer (call $response (call $fields)))
    (drop (call $status (local.get $answer) (i32.add (i32.const 200) (global.get $calls))))
    (call $body (local.get $answer) (i32.const 16))
    (local.set $to (i32.load (i32.const 20)))
    (call $write (local.get $to) (i32.const 16))
    (local.set $sink (i32.load (i32.const 20)))
    (call $set (local.get $out) (i32.const 0) (local.get $answer) (i32.const 0) (i32.const 0) (i32.const 0))
    (call $put (local.get $sink) (local.get $from) (local.get $length) (i32.const 16))
    (if (i32.eq (local.get $letter) (i32.const 98)) (then
      (loop $more
        (call $put (local.get $sink) (i32.const 0) (i32.const 65536) (i32.const 16))
        (br_if $more (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 112))))))
    (call $drop (local.get $sink))
    (if (i32.eq (local.get $letter) (i32.const 117)) (then (return)))
    (call $finish (local.get $to) (i32.const 0) (i32.const 0) (i32.const 16))))`,
    `package test:it;
world it {
  import wasi:random/random@0.2.0;
  import wasi:io/streams@0.2.0;
  import wasi:http/types@0.2.0;
  import wasi:http/outgoing-handler@0.2.0;
  export wasi:http/incoming-handler@0.2.0;
}
${WASI}`,
  );

/** Answers with its event, and fails where that is `1`. */
export const commandComponent = (): Promise<Uint8Array> =>
  componentOf(
    `(module
  (import "wasi:cli/stdin@0.2.0" "get-stdin" (func $stdin (result i32)))
  (import "wasi:cli/stdout@0.2.0" "get-stdout" (func $stdout (result i32)))
  (import "wasi:io/streams@0.2.0" "[method]input-stream.blocking-read" (func $read (param i32 i64 i32)))
  (import "wasi:io/streams@0.2.0" "[method]output-stream.blocking-write-and-flush" (func $put (param i32 i32 i32 i32)))
  ${REALLOC}
  (func (export "wasi:cli/run@0.2.0#run") (result i32)
    (call $read (call $stdin) (i64.const 65536) (i32.const 16))
    (call $put (call $stdout) (i32.load (i32.const 20)) (i32.load (i32.const 24)) (i32.const 32))
    (i32.eq (i32.load8_u (i32.load (i32.const 20))) (i32.const 49))))`,
    `package test:it;
world it {
  import wasi:io/streams@0.2.0;
  import wasi:cli/stdin@0.2.0;
  import wasi:cli/stdout@0.2.0;
  export wasi:cli/run@0.2.0;
}
${WASI}`,
  );
