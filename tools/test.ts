/**
 * npm test                     every *.test.ts of the tree
 * npm test -- engine timeout   those whose path contains one of the words
 * npm test -- --list           says which files that would be
 */
import { spawn } from 'node:child_process';
import { globSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const words = process.argv.slice(2).filter((argument) => !argument.startsWith('-'));
const flags = process.argv.slice(2).filter((argument) => argument.startsWith('-'));

const all = globSync('{src,runtimes,test,tools,bench,examples}/**/*.test.ts', { cwd: root, exclude: (name) => name === 'node_modules' })
  .map((path) => path.replaceAll('\\', '/'))
  .toSorted();
const files = words.length === 0 ? all : all.filter((path) => words.some((word) => path.includes(word)));

if (files.length === 0) {
  console.error(`no test file has ${words.map((w) => `"${w}"`).join(' or ')} in its path; there are ${all.length} files`);
  process.exitCode = 1;
} else if (flags.includes('--list')) {
  console.log(files.join('\n'));
} else {
  process.exitCode = await run();
}

/** Runs `files`, one process each, as many at a time as there are cores, four at most: some of them start servers themselves. */
async function run(): Promise<number> {
  const concurrency = Math.min(4, availableParallelism());
  console.log(`${files.length} of ${all.length} test files, ${concurrency} at a time`);
  const options = [
    '--test',
    `--test-concurrency=${concurrency}`,
    '--test-reporter=spec',
    // A test that hangs must not hang the run; the longest take less than half of this.
    '--test-timeout=300000',
  ];
  const child = spawn(process.execPath, [...options, ...flags, ...files], { cwd: root, stdio: 'inherit' });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(code ?? (signal === null ? 1 : 128)));
  });
}
