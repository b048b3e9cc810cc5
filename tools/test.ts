/**
 * npm test                     every *.test.ts of the tree
 * npm test -- engine timeout   those whose path contains one of the words
 * npm test -- --list           says which files that would be
 */
import { globSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { runTests } from './test-run.ts';

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
  // Some files start servers themselves.
  const atOnce = Math.min(4, availableParallelism());
  console.log(`${files.length} of ${all.length} test files, ${atOnce} at a time`);
  process.exitCode = await runTests({ directory: root, files, atOnce, flags });
}
