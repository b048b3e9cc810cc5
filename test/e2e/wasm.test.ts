import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { temporaryDirectory } from '../temporary.ts';
import { startPlatform } from './cli-platform.ts';
import type { Platform } from './cli-platform.ts';

const ALLOCATE = '(memory (export "memory") 1) (func (export "allocate") (param i32) (result i32) (i32.const 1024))';
const HANDLE = '(func (export "handle") (param i32 i32) (result i64)';
/** Answers with one digit. */
const DIGIT =
  '(func $digit (param i32) (result i64) (i32.store8 (i32.const 8) (i32.add (i32.const 48) (local.get 0))) (i64.const 0x800000001))';

type Project = { readonly wat: string; readonly handler?: string; readonly timeout?: number; readonly memory?: number };

/** Ships a module's text. */
async function deploy(t: TestContext, platform: Platform, name: string, { wat, ...settings }: Project): Promise<void> {
  const directory = temporaryDirectory(t);
  writeFileSync(join(directory, 'main.wat'), wat);
  const project = { name, runtime: 'wasm', include: ['main.wat'], memory: 128, timeout: 60, ...settings };
  writeFileSync(join(directory, 'hearth.json'), JSON.stringify(project));
  await platform.json(['deploy', directory]);
}

async function invoke(platform: Platform, name: string): Promise<unknown> {
  const { stdout, stderr } = await platform.hearth(['invoke', name]);
  assert.notEqual(stdout, '', stderr);
  return JSON.parse(stdout) as unknown;
}

test('what a module does wrong is an error with its reason, and the next invocation is served', async (t) => {
  const platform = await startPlatform(t);
  const wat = `(module ${ALLOCATE} ${HANDLE} (i64.const 0))
    (func (export "spin") (loop $again (br $again)))
    (func $inner unreachable) (func (export "trap") (call $inner)))`;
  await deploy(t, platform, 'spin', { wat, handler: 'main.wasm:spin', timeout: 1 });
  for (let i = 0; i < 2; i++) assert.equal(((await invoke(platform, 'spin')) as { errorType: string }).errorType, 'Sandbox.Timedout');
  await deploy(t, platform, 'trap', { wat, handler: 'main.wasm:trap' });
  for (let i = 0; i < 2; i++) {
    const { errorType, errorMessage, stackTrace } = (await invoke(platform, 'trap')) as Record<string, unknown>;
    assert.deepEqual([errorType, errorMessage], ['Wasm.Trap', 'unreachable']);
    assert.match((stackTrace as string[])[1]!, /^ {4}at inner \(main\.wasm:function\[\d\]:0x[0-9a-f]+\)$/);
  }
  await deploy(t, platform, 'import', { wat: '(module (import "env" "log" (func)) (func (export "_start")))' });
  const { errorType, errorMessage } = (await invoke(platform, 'import')) as Record<string, string>;
  assert.equal(errorType, 'Runtime.MissingImport');
  assert.match(errorMessage!, /main\.wasm imports env\.log \(function\)/);
});

test("memory beyond the function's is not given, and taking all of it kills nobody", async (t) => {
  const platform = await startPlatform(t);
  // Grows by 1 MiB at a time, and writes to each page.
  const wat = `(module ${ALLOCATE} ${DIGIT} ${HANDLE} (local $at i32)
    (block $full (loop $more
      (br_if $full (i32.eq (memory.grow (i32.const 16)) (i32.const -1)))
      (local.set $at (i32.mul (memory.size) (i32.const 65536)))
      (memory.fill (i32.sub (local.get $at) (i32.const 1048576)) (i32.const 1) (i32.const 1048576))
      (br $more)))
    (call $digit (i32.div_u (memory.size) (i32.const 160)))))`;
  await deploy(t, platform, 'hungry', { wat });
  for (let i = 0; i < 3; i++) assert.equal(await invoke(platform, 'hungry'), 9, 'of 10 MiB each');
});

test('grants are a tag: shown, checked, and true from the next invocation on', async (t) => {
  const platform = await startPlatform(t);
  const wat = `(module (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
    ${ALLOCATE} ${DIGIT} (global $calls (mut i32) (i32.const 0))
    ${HANDLE}
      (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
      (call $digit (i32.add (i32.mul (i32.const 4) (i32.eqz (call $random (i32.const 16) (i32.const 4)))) (global.get $calls))))`;
  await deploy(t, platform, 'given', { wat: `${wat})` });
  assert.equal((await platform.json<{ Wasm: unknown }>(['get', 'given'])).Wasm, null);
  assert.match((await platform.hearth(['get', 'given'])).stdout, /wasm +given nothing: no files/);
  assert.deepEqual([await invoke(platform, 'given'), await invoke(platform, 'given')], [1, 1]);
  assert.match((await platform.hearth(['logs', 'given'])).stdout, /asked for random and is granted none/);
  assert.deepEqual(await platform.json(['wasm', 'grant', 'given', 'random', 'keep', 'dir:/tmp']), {
    name: 'given',
    wasm: 'random keep dir:/tmp',
  });
  assert.deepEqual([await invoke(platform, 'given'), await invoke(platform, 'given')], [5, 6]);
  const wrong = await platform.hearth(['wasm', 'grant', 'given', 'files']);
  assert.equal(wrong.code, 1);
  assert.match(wrong.stderr, /has 'files', which is no grant/);
  await platform.json(['wasm', 'grant', 'given', '--default']);
  assert.deepEqual([await invoke(platform, 'given'), await invoke(platform, 'given')], [1, 1]);
});

test('without isolation modules run as well', async (t) => {
  const platform = await startPlatform(t, ['--driver', 'spawn']);
  await deploy(t, platform, 'plain', { wat: `(module ${ALLOCATE} ${DIGIT} ${HANDLE} (call $digit (i32.const 7))))` });
  assert.deepEqual([await invoke(platform, 'plain'), await invoke(platform, 'plain')], [7, 7]);
});
