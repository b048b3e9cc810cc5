/** A host for a test to kill: `node host.testing.ts DIRECTORY`. Boots, forks two instances that spin or wait, says "ready", and stays. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LinuxSandboxes } from './mod.ts';

const directory = process.argv[2]!;
const packages = join(directory, 'packages');
const codeDirectory = join(packages, 'orphan');
mkdirSync(codeDirectory, { recursive: true, mode: 0o755 });
writeFileSync(join(codeDirectory, 'index.mjs'), 'export const handler = async ({ spin }) => { while (spin); return 1; };', { mode: 0o644 });

const sandboxes = await LinuxSandboxes.open({ directory: join(directory, 'orphans'), packages });
const fixed = { label: 'orphan', runtime: 'nodejs26.x', handler: 'index.handler', layerDirectories: [], environment: {} };
const booted = await sandboxes.boot(
  { ...fixed, codeDirectory, memoryMiB: 128, tmpMiB: 16, initTimeoutMs: 60_000, concurrency: 1 },
  { log() {} },
);
if (!booted.ok) throw new Error(JSON.stringify(booted.failure));
for (const spin of [true, false]) {
  const head = { id: String(spin), deadlineMs: Date.now() + 60_000, arn: 'arn' };
  const end = () => void (spin || process.stdout.write('ready\n'));
  booted.template.fork().invoke(head, Buffer.from(JSON.stringify({ spin })), { log() {}, streamHead() {}, streamChunk() {}, end });
}
