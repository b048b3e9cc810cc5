import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { closeAfter } from '../../test/closing.ts';
import { temporaryDirectory } from '../../test/temporary.ts';
import { compileC, compileText, missingClang } from './clang.testing.ts';
import { WASI_FUNCTIONS, wasiImports } from './wasi.ts';
import type { World } from './world.ts';

const HEARTH = join(import.meta.dirname, '../../bin/hearth.mjs');
const FIXTURES = join(import.meta.dirname, 'fixtures');
const skip = missingClang();

/** Runs a module as a user would; `input`: its standard input. */
function run(words: readonly string[], input = ''): { readonly code: number | null; readonly stdout: string; readonly stderr: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [HEARTH, 'wasm', 'run', ...words], {
    input,
    encoding: 'utf8',
    timeout: 50_000,
  });
  return { code: status, stdout, stderr };
}

/** A directory to give away, with a secret beside it and a link in it that leads out. */
function jail(t: TestContext): { readonly directory: string; readonly inside: string } {
  const directory = temporaryDirectory(t);
  const inside = join(directory, 'inside');
  mkdirSync(inside);
  writeFileSync(join(directory, 'secret'), 'secret');
  symlinkSync('/etc', join(inside, 'planted'));
  return { directory, inside };
}

test('the list of WASI functions is the list of those that there are', () => {
  const world = { memory: {}, clock: {} } as unknown as World;
  assert.deepEqual(new Set(Object.keys(wasiImports(world))), WASI_FUNCTIONS);
});

test('paths: nothing leads out of a directory, by dots, links or absolute names, and each error has its number', { skip }, (t) => {
  const { directory, inside } = jail(t);
  const { code, stdout, stderr } = run([compileC(join(FIXTURES, 'paths.c'), directory), '--dir', `${inside}::/`]);
  assert.deepEqual([code, stdout, stderr], [0, 'fine\n', '']);
  assert.deepEqual(readdirSync(inside), ['planted']);
});

test('descriptors: positions, appending, rights, times, listings and numbers', { skip }, (t) => {
  const { directory, inside } = jail(t);
  const { code, stdout, stderr } = run([compileC(join(FIXTURES, 'descriptors.c'), directory), '--dir', `${inside}::/`]);
  assert.deepEqual([code, stdout, stderr], [0, 'fine\n', '']);
});

test('edges: names, links, removed files, wrong numbers and addresses, numbers of streams', { skip }, (t) => {
  const { directory, inside } = jail(t);
  const { code, stdout, stderr } = run([compileC(join(FIXTURES, 'edges.c'), directory), '--dir', `${inside}::/`]);
  assert.deepEqual([code, stdout, stderr], [0, 'fine\n', '']);
  assert.deepEqual(readdirSync(inside), ['planted']);
});

test('surroundings: arguments, variables, clocks, random numbers, waiting, standard input', { skip }, (t) => {
  const { directory } = jail(t);
  const module = compileC(join(FIXTURES, 'surroundings.c'), directory);
  const { code, stdout, stderr } = run([module, '--env', 'NAME=a=b', '--', 'a b', ''], 'input\n');
  assert.deepEqual([code, stdout, stderr], [0, 'fine\n', '']);
});

test('standard input is not waited for where that is asked for, and its end is told', { skip }, async (t) => {
  const module = compileC(join(FIXTURES, 'streams.c'), temporaryDirectory(t));
  // Through cat, so that it is a pipe, and no socket.
  const child = spawn('sh', ['-c', 'cat | "$@"', 'sh', process.execPath, HEARTH, 'wasm', 'run', module], { timeout: 50_000 });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    if (stdout === 'empty\n') child.stdin.write('input');
    if (stdout === 'empty\nread\n') child.stdin.end();
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
    child.stdin.end();
  });
  closeAfter(t, () => child.stdin.destroy());
  const [code] = (await once(child, 'close')) as [number | null];
  assert.deepEqual([code, stdout, stderr], [0, 'empty\nread\nfine\n', '']);
});

test('a redirected file has its size, and is read', { skip }, (t) => {
  const directory = temporaryDirectory(t);
  const module = compileText(
    `#include <sys/stat.h>
#include <unistd.h>
int main(void) {
  struct stat status;
  char bytes[8];
  return fstat(0, &status) == 0 && S_ISREG(status.st_mode) && status.st_size == 4 && read(0, bytes, 8) == 4 ? 0 : 1;
}`,
    directory,
    'redirected',
  );
  writeFileSync(join(directory, 'input'), 'text');
  const input = openSync(join(directory, 'input'), 'r');
  closeAfter(t, () => closeSync(input));
  const { status } = spawnSync(process.execPath, [HEARTH, 'wasm', 'run', module], { stdio: [input, 'ignore', 'ignore'], timeout: 50_000 });
  assert.equal(status, 0);
});

test('what is no terminal does not look like one', { skip }, (t) => {
  const module = compileText(
    '#include <unistd.h>\nint main(void) { return isatty(0) + 2 * isatty(1); }',
    temporaryDirectory(t),
    'terminals',
  );
  const { status } = spawnSync(process.execPath, [HEARTH, 'wasm', 'run', module], { stdio: 'ignore', timeout: 50_000 });
  assert.equal(status, 0);
});

test('a directory that is given to be read is not written to, and nothing is given that is not named', { skip }, (t) => {
  const { directory, inside } = jail(t);
  writeFileSync(join(inside, 'file'), 'text');
  const text = `
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
#include <wasi/api.h>
int main(void) {
  char bytes[8] = {0};
  int fd = open("/data/file", O_RDONLY);
  if (fd < 0) return puts("none") == EOF;
  printf("%d %s ", (int)read(fd, bytes, 7), bytes);
  printf("%d ", open("/data/new", O_CREAT | O_WRONLY, 0644));
  printf("%d ", unlink("/data/file"));
  int written = open("/data/file", O_WRONLY);
  printf("%d ", written < 0 ? -1 : (int)write(written, "x", 1));
  /* All that there is but writing, as the libraries of other languages ask. */
  __wasi_fdstat_t status;
  __wasi_fd_t all;
  if (__wasi_path_open(3, 0, "file", 0, ~(uint64_t)__WASI_RIGHTS_FD_WRITE, ~(uint64_t)0, 0, &all) != 0) return 1;
  if (__wasi_fd_fdstat_get(all, &status) != 0) return 1;
  printf("%d\\n", (status.fs_rights_base & (__WASI_RIGHTS_FD_READ | __WASI_RIGHTS_FD_FILESTAT_SET_SIZE)) == __WASI_RIGHTS_FD_READ);
  return 0;
}`;
  const module = compileText(text, directory, 'reader');
  assert.equal(run([module, '--read-dir', `${inside}::/data`]).stdout, '4 text -1 -1 -1 1\n');
  assert.equal(run([module]).stdout, 'none\n');
});

test("the exit code is the module's: what it ends with, 134 where it traps; wrong words are 2", { skip }, (t) => {
  const directory = temporaryDirectory(t);
  const module = compileText(
    '#include <stdlib.h>\nint main(int c, char **v) { if (c > 2) abort(); return c > 1 ? atoi(v[1]) : 0; }',
    directory,
    'codes',
  );
  assert.equal(run([module]).code, 0);
  assert.equal(run([module, '7']).code, 7);
  const trapped = run([module, 'a', 'b']);
  assert.equal(trapped.code, 134);
  assert.match(trapped.stderr, /Wasm\.Trap: unreachable\n {4}at abort \(codes\.wasm:function\[\d+\]:0x[0-9a-f]+\)/);
  assert.deepEqual([run([module, '--dir', '/nowhere']).code, run([module, '--env', 'X']).code, run(['/nowhere.wasm']).code], [2, 2, 2]);
  writeFileSync(join(directory, 'bad.wasm'), 'no module');
  assert.match(
    run([join(directory, 'bad.wasm')]).stderr,
    /bad\.wasm is no WebAssembly module: it does not begin as a WebAssembly module does/,
  );
});
