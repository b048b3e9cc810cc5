import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { HearthError, systemClock } from '../../kernel/mod.ts';
import type { InvocationEnd, Sandboxes } from '../../ports/mod.ts';

/** Looks at its walls from inside. CommonJS, so that it needs no package.json. */
const PROBE = `
const fs = require('node:fs');
const os = require('node:os');
exports.handler = async ({ hidden }) => {
  const status = fs.readFileSync('/proc/self/status', 'latin1');
  const field = (name) => new RegExp('^' + name + ':\\\\s*(\\\\S+)', 'm').exec(status)[1];
  fs.writeFileSync('/tmp/probe', 'x');
  await fs.promises.readFile('/tmp/probe');
  return {
    'no capabilities': /^0+$/.test(field('CapEff') + field('CapPrm')),
    'no_new_privs is set': field('NoNewPrivs') === '1',
    'a seccomp filter is in place': field('Seccomp') === '2',
    'the host\\'s files are out of sight': !fs.existsSync(hidden),
    'only loopback is there': Object.keys(os.networkInterfaces()).every((name) => name === 'lo'),
    'its processes are its own': fs.readdirSync('/proc').filter((name) => /^\\d+$/.test(name)).length < 16,
    'its code is read-only': (() => { try { fs.writeFileSync('/var/task/x', ''); return false; } catch { return true; } })(),
  };
};`;

/** Boots, forks and invokes once, for real, and looks at the walls from inside. Throws HearthError `SandboxFailed` that says what does not hold. */
export async function selfTest(sandboxes: Sandboxes, packages: string): Promise<void> {
  const codeDirectory = join(packages, '.self-test');
  await mkdir(codeDirectory, { recursive: true, mode: 0o755 });
  await writeFile(join(codeDirectory, 'probe.cjs'), PROBE, { mode: 0o644 });
  let output = '';
  const booted = await sandboxes.boot(
    {
      label: 'self-test',
      runtime: 'nodejs26.x',
      handler: 'probe.handler',
      codeDirectory,
      layerDirectories: [],
      environment: {},
      memoryMiB: 128,
      tmpMiB: 16,
      initTimeoutMs: 10_000,
      concurrency: 1,
    },
    { log: (text) => void (output += `${text}\n`) },
  );
  if (!booted.ok)
    throw new HearthError('SandboxFailed', `the self-test's sandbox did not boot: ${JSON.stringify(booted.failure)} ${output}`);
  const instance = booted.template.fork();
  const end = await new Promise<InvocationEnd>((resolve) => {
    const event = Buffer.from(JSON.stringify({ hidden: codeDirectory }));
    const head = { id: 'self-test', deadlineMs: systemClock.now() + 10_000, arn: 'self-test' };
    instance.invoke(head, event, {
      log: (text) => void (output += `${text}\n`),
      streamHead() {},
      streamChunk() {},
      // The payload is only valid during the call.
      end: (heard) => resolve(heard.kind === 'answered' ? { ...heard, payload: Buffer.from(heard.payload) } : heard),
    });
    systemClock.after(10_000, () => instance.kill());
  });
  instance.kill();
  booted.template.close();
  if (end.kind !== 'answered')
    throw new HearthError('SandboxFailed', `the self-test's instance did not answer: ${JSON.stringify(end)} ${output}`);
  const missing = Object.entries(JSON.parse(end.payload.toString()) as Record<string, boolean>).filter(([, holds]) => !holds);
  if (missing.length > 0) throw new HearthError('SandboxFailed', `does not hold in a sandbox: ${missing.map(([what]) => what).join('; ')}`);
}
