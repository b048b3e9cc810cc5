/**
 * npm run check                 all steps: format, lint, types, layers, tests
 * npm run check -- lint types   those
 * Goes on after a step has failed, so that one run shows everything; exits with 1 if any did.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
/** The commands that npm packages bring; on Windows they'd be .cmd files, which Hearth doesn't run on. */
const installed = (name: string) => join(root, 'node_modules/.bin', name);

type Step = { readonly name: string; readonly command: readonly [string, ...string[]]; readonly says: string; readonly streams?: boolean };

const STEPS: readonly Step[] = [
  { name: 'format', command: [installed('oxfmt'), '--check', '.'], says: 'run npm run format' },
  {
    name: 'lint',
    command: [installed('oxlint'), '--type-aware', '--deny-warnings'],
    says: 'each finding names its rule; the rules are in .oxlintrc.json',
  },
  { name: 'types', command: [installed('tsc'), '--noEmit'], says: 'npm run types shows the same' },
  { name: 'layers', command: [process.execPath, 'tools/tidy.ts'], says: 'the table is tools/layers.ts' },
  {
    name: 'tests',
    command: [process.execPath, 'tools/test.ts'],
    says: 'npm test -- WORD runs the files with WORD in their path',
    streams: true,
  },
];

type Result = { readonly step: Step; readonly ok: boolean; readonly seconds: number };

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !STEPS.some((step) => step.name === name));
if (unknown.length > 0) {
  console.error(`no step is called ${unknown.join(', ')}; there are ${STEPS.map((step) => step.name).join(', ')}`);
  process.exitCode = 2;
} else if (!existsSync(installed('tsc'))) {
  console.error('the packages are not installed: run npm ci first');
  process.exitCode = 2;
} else {
  const results: Result[] = [];
  for (const step of STEPS.filter(({ name }) => wanted.length === 0 || wanted.includes(name))) results.push(await run(step));
  console.log('');
  for (const { step, ok, seconds } of results) {
    console.log(`${ok ? 'ok    ' : 'FAILED'}  ${step.name.padEnd(8)}${seconds.toFixed(1).padStart(7)} s${ok ? '' : `   ${step.says}`}`);
  }
  process.exitCode = results.every((result) => result.ok) ? 0 : 1;
}

/** A quick step's output is shown when it fails; that of the tests as it comes. */
async function run(step: Step): Promise<Result> {
  console.log(`-- ${step.name}`);
  const startedMs = performance.now();
  const [program, ...args] = step.command;
  const child = spawn(program, args, {
    cwd: root,
    stdio: ['ignore', step.streams ? 'inherit' : 'pipe', step.streams ? 'inherit' : 'pipe'],
  });
  const output: Buffer[] = [];
  child.stdout?.on('data', (chunk: Buffer) => output.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => output.push(chunk));
  const ok = await new Promise<boolean>((resolve) => {
    child.once('error', (error) => {
      output.push(Buffer.from(`${program} cannot be started: ${error.message}\n`));
      resolve(false);
    });
    child.once('close', (code) => resolve(code === 0));
  });
  if (!ok) process.stdout.write(Buffer.concat(output));
  return { step, ok, seconds: (performance.now() - startedMs) / 1000 };
}
