/** Modules from C, for tests: with clang and wasi-libc, where they are. */
import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Without node_modules/.bin: where clang finds a wasm-opt it strips the names that traces are looked at for. */
const ENVIRONMENT = { ...process.env, PATH: '/usr/local/bin:/usr/bin:/bin' };
const TARGET = ['--target=wasm32-wasi', '-O1', '-Wall', '-Wextra', '-Werror'];

/** What a test says when it is skipped; false: it isn't. */
export function missingClang(): string | false {
  const probe = spawnSync('clang', [...TARGET, '-x', 'c', '-', '-o', '/dev/null'], {
    env: ENVIRONMENT,
    input: '#include <stdio.h>\nint main(void) { return puts(""); }\n',
  });
  return probe.status === 0 ? false : 'there is no clang for wasm32-wasi (Debian: clang lld wasi-libc libclang-rt-14-dev-wasm32)';
}

/** Compiles a file of C; returns the path of the module. */
export function compileC(source: string, directory: string, ...flags: readonly string[]): string {
  const module = join(directory, `${source.split('/').at(-1)!.replace(/\.c$/, '')}.wasm`);
  execFileSync('clang', [...TARGET, ...flags, source, '-o', module], { env: ENVIRONMENT });
  return module;
}

export function compileText(text: string, directory: string, name: string, ...flags: readonly string[]): string {
  const source = join(directory, `${name}.c`);
  writeFileSync(source, text);
  return compileC(source, directory, ...flags);
}
