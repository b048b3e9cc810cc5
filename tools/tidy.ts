/**
 * The house rules that a machine can hold: layers, file size, no ambient clock, randomness or I/O, and a few words that
 * don't belong in the tree. Every violation says what to do instead. `node tools/tidy.ts` prints them.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { checkImports } from './tidy-imports.ts';
import { checkText } from './tidy-text.ts';
import { readSource } from './source.ts';

export type TreeFile = { readonly path: string; readonly text: string };
export type Violation = { readonly path: string; readonly line: number; readonly rule: string; readonly message: string };

/** Paths are relative to the root, with forward slashes. `machinePaths`: absolute paths that must not appear anywhere. */
export function tidy(files: readonly TreeFile[], machinePaths: readonly string[] = []): Violation[] {
  return files.flatMap((file) => {
    const violations = checkText(file, machinePaths);
    if (/\.(ts|mts|cts|js|mjs|cjs|tsx|jsx)$/.test(file.path)) violations.push(...checkImports(readSource(file.path, file.text)));
    return violations;
  });
}

/** The files that git tracks or would track, as far as they are text. */
export function readTree(root: string): TreeFile[] {
  const listed = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z'], { cwd: root, encoding: 'utf8' });
  return listed
    .split('\0')
    .filter((path) => path !== '' && existsSync(join(root, path)))
    .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }))
    .filter((file) => !file.text.includes('\0'));
}

export function pathsOfThisMachine(root: string): string[] {
  const home = homedir();
  return home === '/' ? [root] : [root, home];
}

if (import.meta.main) {
  const root = join(import.meta.dirname, '..');
  const violations = tidy(readTree(root), pathsOfThisMachine(root));
  for (const v of violations) console.log(`${v.path}:${v.line}: ${v.message}`);
  console.log(violations.length === 0 ? 'tidy: nothing to do' : `tidy: ${violations.length} to do`);
  process.exitCode = violations.length === 0 ? 0 : 1;
}
