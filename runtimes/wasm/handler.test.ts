import assert from 'node:assert/strict';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../../test/temporary.ts';
import { NO_GRANTS } from './grants.ts';
import { findModule } from './handler-name.ts';
import { binaryOf, functionOf } from './wat.testing.ts';

/** A module that answers with the number that `body` leaves, of one digit; `more`: further fields. */
const answering = (body: string, more = ''): string => `(module
  (memory (export "memory") 1)
  (func (export "allocate") (param i32) (result i32) (i32.const 1024))
  ${more}
  (func $digit (param i32) (result i64)
    (i32.store8 (i32.const 8) (i32.add (i32.const 48) (local.get 0)))
    (i64.const 0x800000001))
  (func (export "handle") (param $at i32) (param $length i32) (result i64) (call $digit ${body})))`;

const WASI = (name: string, type: string) => `(import "wasi_snapshot_preview1" "${name}" (func $${name} ${type}))`;

test('an event of any size comes in as bytes, and the answer goes out as bytes', () => {
  const echo = functionOf(`(module (memory (export "memory") 1)
    (func (export "allocate") (param i32) (result i32) (drop (memory.grow (i32.const 64))) (i32.const 65536))
    (func (export "handle") (param i32 i32) (result i64)
      (i64.or (i64.shl (i64.extend_i32_u (local.get 0)) (i64.const 32)) (i64.extend_i32_u (local.get 1)))))`);
  for (const event of ['{"a":"ü"}', '1', JSON.stringify('x'.repeat(3_000_000)), '[]']) assert.equal(echo.call(event), event);
});

test('each invocation finds globals of every type as init left them', () => {
  const tried = functionOf(
    answering(
      `(block (result i32)
        (global.set $i (i32.add (global.get $i) (i32.const 1)))
        (global.set $l (i64.add (global.get $l) (i64.const 1)))
        (global.set $f (f32.add (global.get $f) (f32.const 1)))
        (global.set $d (f64.add (global.get $d) (f64.const 1)))
        (global.set $v (i32x4.add (global.get $v) (v128.const i32x4 1 1 1 1)))
        (i32.add (global.get $i) (i32.add (i32.wrap_i64 (global.get $l)) (i32.add (i32.trunc_f32_s (global.get $f))
          (i32.add (i32.trunc_f64_s (global.get $d)) (i32x4.extract_lane 0 (global.get $v)))))))`,
      `(global $i (mut i32) (i32.const 0)) (global $l (mut i64) (i64.const 0)) (global $f (mut f32) (f32.const 0))
       (global $d (mut f64) (f64.const 0)) (global $v (mut v128) (v128.const i32x4 0 0 0 0)) (global $r (mut funcref) (ref.null func))`,
    ),
  );
  assert.deepEqual([tried.call(), tried.call(), tried.call()], ['5', '5', '5']);
});

test('each finds the memory as init left it, also what has grown, and as large', () => {
  const tried = functionOf(
    answering(
      '(call $try)',
      `(func $try (result i32) (local $seen i32)
         (local.set $seen (i32.add (memory.size) (i32.load8_u (i32.const 500))))
         (i32.store8 (i32.const 500) (i32.const 5))
         (drop (memory.grow (i32.const 20)))
         (local.set $seen (i32.add (local.get $seen) (i32.load8_u (i32.const 1000000))))
         (i32.store8 (i32.const 1000000) (i32.const 1))
         (local.get $seen))`,
    ),
  );
  assert.deepEqual([tried.call(), tried.call(), tried.call()], ['1', '1', '1']);
});

test('a memory beyond what is copied is put back, too', () => {
  const tried = functionOf(
    answering(
      '(call $try)',
      `(func (export "_initialize") (drop (memory.grow (i32.const 100))) (memory.fill (i32.const 70000) (i32.const 3) (i32.const 6000000)))
       (func $try (result i32)
         (i32.store8 (i32.const 300000) (i32.add (i32.load8_u (i32.const 300000)) (i32.const 1)))
         (i32.store8 (i32.const 6000000) (i32.add (i32.load8_u (i32.const 6000000)) (i32.const 1)))
         (drop (memory.grow (i32.const 10)))
         (i32.store8 (i32.const 7000000) (i32.add (i32.load8_u (i32.const 7000000)) (i32.const 1)))
         (i32.add (i32.load8_u (i32.const 300000)) (i32.add (i32.load8_u (i32.const 6000000)) (i32.load8_u (i32.const 7000000)))))`,
    ),
  );
  assert.deepEqual([tried.call(), tried.call(), tried.call()], ['9', '9', '9']);
});

test('what can not be put back has an instance for each invocation: tables that change, data that is dropped', () => {
  const tables = functionOf(
    answering(
      '(call $try)',
      `(table $t 2 funcref) (elem declare func $one)
       (func $one (result i32) (i32.const 1))
       (func $try (result i32) (local $was i32)
         (local.set $was (ref.is_null (table.get $t (i32.const 0))))
         (table.set $t (i32.const 0) (ref.func $one))
         (local.get $was))`,
    ),
  );
  assert.deepEqual([tables.call(), tables.call()], ['1', '1']);
  const data = functionOf(
    answering(
      '(call $try)',
      '(data $d "\\07") (func $try (result i32) (memory.init $d (i32.const 0) (i32.const 0) (i32.const 1)) (data.drop $d) (i32.load8_u (i32.const 0)))',
    ),
  );
  assert.deepEqual([data.call(), data.call()], ['7', '7']);
});

test("init is run once, before the first invocation: the start function, _initialize, and Wizer's", () => {
  const inits = `(global $runs (mut i32) (i32.const 0))
    (func $begin (global.set $runs (i32.add (global.get $runs) (i32.const 1))))
    (func (export "_initialize") (global.set $runs (i32.add (global.get $runs) (i32.const 2))))
    (func (export "wizer.initialize") (global.set $runs (i32.add (global.get $runs) (i32.const 4))))
    (start $begin)`;
  const tried = functionOf(answering('(global.get $runs)', inits));
  assert.deepEqual([tried.call(), tried.call()], ['7', '7']);
});

test('a start function finds its memory and WASI; one that ends the module is an error of init', () => {
  const source = (more: string) => `(module ${WASI('environ_sizes_get', '(param i32 i32) (result i32)')} ${WASI('proc_exit', '(param i32)')}
    (memory (export "memory") 1) (func (export "allocate") (param i32) (result i32) (i32.const 1024))
    (func $begin (i32.store8 (i32.const 8) (i32.add (i32.const 48) (call $environ_sizes_get (i32.const 16) (i32.const 20)))) ${more})
    (start $begin)
    (func (export "handle") (param i32 i32) (result i64) (i64.const 0x800000001)))`;
  assert.equal(functionOf(source('')).call(), '0');
  assert.throws(() => functionOf(source('(call $proc_exit (i32.const 0))')), {
    name: 'Wasm.Exit',
    message: 'The module ended during its init',
  });
  assert.throws(() => functionOf(source('(call $proc_exit (i32.const 3))')), { name: 'Wasm.Exit', message: /code 3/ });
  const nowhere = { ...NO_GRANTS, directories: [{ host: '/nowhere', guest: '/', writable: false }] };
  assert.throws(() => functionOf(source(''), { grants: nowhere }), { name: 'Runtime.InvalidGrant', message: /\/nowhere .* ENOENT/ });
});

test('with "keep" state goes on, until the module fails', () => {
  const counting = answering(
    '(call $count (local.get $length))',
    '(global $n (mut i32) (i32.const 0)) (func $count (param i32) (result i32) (global.set $n (i32.add (global.get $n) (i32.const 1))) (if (i32.gt_u (local.get 0) (i32.const 2)) (then unreachable)) (global.get $n))',
  );
  const kept = functionOf(counting, { grants: { ...NO_GRANTS, keep: true } });
  assert.deepEqual([kept.call(), kept.call(), kept.call()], ['1', '2', '3']);
  assert.throws(() => kept.call('{"long":1}'), { name: 'Wasm.Trap' });
  assert.equal(kept.call(), '1');
  const command = '(module (func (export "_start")))';
  assert.throws(() => functionOf(command, { grants: { ...NO_GRANTS, keep: true } }), { name: 'Runtime.InvalidGrant' });
});

test('a trap names its kind and the places in the module as it was uploaded', () => {
  const source = answering(
    '(call $outer)',
    '(func $outer (result i32) (drop (memory.grow (i32.const 1))) (drop (memory.size)) (call $inner)) (func $inner (result i32) (i32.div_u (i32.const 1) (i32.const 0)))',
  );
  const bytes = Buffer.from(binaryOf(source));
  // i32.const 1, i32.const 0, i32.div_u
  const offset = bytes.indexOf(Buffer.from([0x41, 1, 0x41, 0, 0x6e])) + 4;
  const tried = functionOf(source);
  assert.throws(
    () => tried.call(),
    (error: Error) => {
      assert.deepEqual([error.name, error.message], ['Wasm.Trap', 'divide by zero']);
      const [, first, second] = error.stack!.split('\n');
      assert.match(first!, new RegExp(`^    at inner \\(test\\.wasm:function\\[\\d+\\]:0x${offset.toString(16)}\\)$`));
      const at = Number.parseInt(/outer \(test\.wasm:function\[\d+\]:0x([0-9a-f]+)\)/.exec(second!)![1]!, 16);
      assert.equal(bytes[at], 0x10, 'the call, behind two instructions that were replaced');
      return true;
    },
  );
  assert.throws(() => functionOf(answering('(call $deep)', '(func $deep (result i32) (i32.add (call $deep) (i32.const 1)))')).call(), {
    name: 'Wasm.Trap',
    message: 'call stack exhausted',
  });
  const beyond = functionOf(answering('(i32.load (i32.const 65536))'));
  assert.throws(() => beyond.call(), { name: 'Wasm.Trap', message: 'memory access out of bounds' });
  assert.throws(() => beyond.call(), { name: 'Wasm.Trap' }, 'and again');
});

test('what is wrong with a module or its entry is said before it serves, by name', () => {
  const refused = (source: string | Uint8Array, name: string, message: RegExp, entry?: string) =>
    assert.throws(() => functionOf(source, { entry }), { name, message });
  refused(Buffer.from('#!/bin/sh'), 'Runtime.InvalidModule', /does not begin as a WebAssembly module does/);
  refused(Buffer.from('\0asm\x0d\0\x01\0'), 'Runtime.InvalidModule', /is a component/);
  refused(Buffer.from('\0asm\x01\0\0\0\x01\x09'), 'Runtime.InvalidModule', /ends too early/);
  refused(binaryOf('(module (func (export "_start")))').slice(0, -3), 'Runtime.InvalidModule', /./);
  refused(
    '(module (import "env" "log" (func)) (import "host" "m" (memory 1)))',
    'Runtime.MissingImport',
    /imports env\.log \(function\), host\.m \(memory\)/,
  );
  refused('(module (import "wasi_unstable" "fd_write" (func)))', 'Runtime.MissingImport', /wasi_unstable is older/);
  refused('(module (func (export "run")))', 'Runtime.HandlerNotFound', /exports neither handle nor _start; it exports run/);
  refused('(module (func (export "run")))', 'Runtime.HandlerNotFound', /no function go/, 'go');
  refused('(module (func (export "handle") (param i32)))', 'Runtime.InvalidEntry', /handle with 1 parameters/);
  refused('(module (memory 2000))', 'Runtime.OutOfMemory', /asks for a memory of 125 MiB and its function has 64 MiB/);
  refused('(module (func $f unreachable) (start $f) (func (export "_start")))', 'Wasm.Trap', /unreachable/);
});

test("a memory grows to the function's and no further; that is an answer, not an end", () => {
  const tried = functionOf(
    answering('(i32.add (i32.eq (memory.grow (i32.const 2000)) (i32.const -1)) (i32.ne (memory.grow (i32.const 1000)) (i32.const -1)))'),
  );
  assert.deepEqual([tried.call(), tried.call()], ['2', '2']);
  const unknown = functionOf(answering('(i32.eq (memory.grow (i32.const -1)) (i32.const -1))'));
  assert.equal(unknown.call(), '1');
});

test('a command reads its event and writes its answer; what it ends with other than 0 is an error', () => {
  const source = (
    code: number,
  ) => `(module ${WASI('fd_read', '(param i32 i32 i32 i32) (result i32)')} ${WASI('fd_write', '(param i32 i32 i32 i32) (result i32)')}
    ${WASI('proc_exit', '(param i32)')} (memory (export "memory") 1)
    (func (export "_start")
      (i32.store (i32.const 0) (i32.const 64)) (i32.store (i32.const 4) (i32.const 1000))
      (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
      (i32.store (i32.const 4) (i32.load (i32.const 8)))
      (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
      (drop (call $fd_write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 8)))
      (call $proc_exit (i32.const ${code}))))`;
  const fine = functionOf(source(0));
  assert.deepEqual([fine.call('{"a":1}'), fine.call('[2]'), fine.log()], ['{"a":1}', '[2]', '{"a":1}[2]']);
  const failing = functionOf(source(3));
  assert.throws(() => failing.call(), { name: 'Wasm.Exit', message: 'The module ended with exit code 3' });
  assert.throws(() => fine.call('no json'), { name: 'Wasm.InvalidAnswer', message: 'The module\'s answer is no JSON: "no json"' });
  assert.equal(functionOf('(module (func (export "_start")))').call(), 'null');
});

test('without a grant there are no random numbers, which the log says once, and no fine clock; with one there are', () => {
  const answeringWith = (name: string, type: string, body: string) => answering(body).replace('(module', `(module ${WASI(name, type)}`);
  const asking = answeringWith(
    'random_get',
    '(param i32 i32) (result i32)',
    '(i32.eq (call $random_get (i32.const 16) (i32.const 4)) (i32.const 76))',
  );
  const tried = functionOf(asking);
  assert.deepEqual([tried.call(), tried.call()], ['1', '1'], 'ENOTCAPABLE');
  assert.equal(tried.log().match(/granted none/g)?.length, 1);
  const granted = functionOf(asking, { grants: { ...NO_GRANTS, random: true } });
  assert.equal(granted.call(), '0');
  const clock = answeringWith(
    'clock_time_get',
    '(param i32 i64 i32) (result i32)',
    '(i32.add (call $clock_time_get (i32.const 0) (i64.const 0) (i32.const 16)) (i64.ne (i64.rem_u (i64.load (i32.const 16)) (i64.const 1000000)) (i64.const 0)))',
  );
  assert.equal(functionOf(clock).call(), '0');
});

test('an answer over the limit ends the invocation, not the process', () => {
  const flood = functionOf(`(module ${WASI('fd_write', '(param i32 i32 i32 i32) (result i32)')} (memory (export "memory") 20)
    (func (export "handle") (i32.store (i32.const 4) (i32.const 1000000))
      (loop $again (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))) (br $again))))`);
  assert.throws(() => flood.call(), { name: 'Function.ResponseSizeTooLarge' });
  const large = functionOf(
    '(module (memory (export "memory") 200) (func (export "allocate") (param i32) (result i32) (i32.const 0)) (func (export "handle") (param i32 i32) (result i64) (i64.const 7000000)))',
  );
  assert.throws(() => large.call(), { name: 'Function.ResponseSizeTooLarge' });
  const outside = functionOf(
    '(module (memory (export "memory") 1) (func (export "allocate") (param i32) (result i32) (i32.const 0)) (func (export "handle") (param i32 i32) (result i64) (i64.const 100000)))',
  );
  assert.throws(() => outside.call(), { name: 'Wasm.InvalidAnswer', message: /outside of its memory/ });
});

test('directories are there where they are granted, and what was left open is closed', (t) => {
  const directory = temporaryDirectory(t);
  writeFileSync(join(directory, 'file'), 'x');
  const opens = `(module ${WASI('path_open', '(param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)')} (memory (export "memory") 1) (data (i32.const 100) "file")
    (func (export "allocate") (param i32) (result i32) (i32.const 1024))
    (func (export "handle") (param i32 i32) (result i64)
      (i32.store8 (i32.const 8) (i32.add (i32.const 48) (i32.add (i32.mul (i32.const 3) (i32.eq (i32.const 8)
        (call $path_open (i32.const 3) (i32.const 0) (i32.const 100) (i32.const 4) (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 16)))) (i32.load (i32.const 16)))))
      (i64.const 0x800000001)))`;
  assert.equal(functionOf(opens).call(), '3', 'no such descriptor');
  const granted = functionOf(opens, { grants: { ...NO_GRANTS, directories: [{ host: directory, guest: '/', writable: false }] } });
  assert.deepEqual([granted.call(), granted.call()], ['4', '4']);
});

test('a handler string is a file and perhaps an export of it', (t) => {
  const root = mkdtempSync(join(temporaryDirectory(t), 'package-'));
  writeFileSync(join(root, 'module.wasm'), '');
  const found = (handler: string) => [findModule(root, handler).file, findModule(root, handler).entry];
  assert.deepEqual(found('anything.at.all:run'), ['module.wasm', 'run']);
  writeFileSync(join(root, 'other.wasm'), '');
  assert.deepEqual(
    [found('main.wasm'), found('other'), found('other.wasm:go')],
    [
      ['module.wasm', undefined],
      ['other.wasm', undefined],
      ['other.wasm', 'go'],
    ],
  );
  assert.throws(() => findModule(root, 'absent'), {
    message: 'No module absent or absent.wasm in the package; there is module.wasm, other.wasm',
  });
  for (const handler of ['../x.wasm', '/x.wasm', 'a:b:c', 'a:'])
    assert.throws(() => findModule(root, handler), { name: 'Runtime.MalformedHandlerName' });
});
