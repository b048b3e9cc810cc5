import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { closeAfter, killAfter } from '../../../test/closing.ts';
import { temporaryDirectory } from '../../../test/temporary.ts';
import { HearthError, silentLog, systemClock } from '../../kernel/mod.ts';
import type { Instance, InvocationEnd, SandboxSpec } from '../../ports/mod.ts';
import { SpawnSandboxes } from './mod.ts';

async function open(t: TestContext, body: string, given: Partial<SandboxSpec> = {}) {
  const directory = temporaryDirectory(t);
  const codeDirectory = join(directory, 'code');
  await mkdir(codeDirectory);
  await writeFile(join(codeDirectory, 'index.js'), body);
  const sandboxes = await SpawnSandboxes.open({ directory: join(directory, 'run'), log: silentLog, clock: systemClock });
  closeAfter(t, () => sandboxes.close());
  const spec: SandboxSpec = {
    label: 'test:$LATEST',
    runtime: 'nodejs26.x',
    handler: 'index.handler',
    codeDirectory,
    layerDirectories: [],
    environment: {},
    memoryMiB: 128,
    tmpMiB: 512,
    initTimeoutMs: 60_000,
    concurrency: 1,
    ...given,
  };
  return { sandboxes, spec, temporary: join(directory, 'run/tmp'), directory };
}

async function boot(sandboxes: SpawnSandboxes, spec: SandboxSpec) {
  const result = await sandboxes.boot(spec, { log() {} });
  assert.ok(result.ok, JSON.stringify(result));
  return result.template;
}

type Answer = InvocationEnd & { readonly value?: unknown };

function invoke(instance: Instance, event: unknown = {}, onLog: (text: string) => void = () => {}): Promise<Answer> {
  return new Promise((resolve) => {
    instance.invoke({ id: 'id', deadlineMs: systemClock.now() + 5_000, arn: 'arn' }, Buffer.from(JSON.stringify(event)), {
      log: onLog,
      streamHead() {},
      streamChunk() {},
      end: (end) => resolve(end.kind === 'answered' ? { ...end, value: JSON.parse(end.payload.toString()) as unknown } : end),
    });
  });
}

/** Gone, or a zombie that nobody has waited for. */
function isGone(pid: number): boolean {
  if (!existsSync(`/proc/${pid}`)) return true;
  try {
    return /^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    // It went while it was looked at.
    return true;
  }
}

async function goes(pid: number): Promise<void> {
  for (let tries = 0; tries < 6_000 && !isGone(pid); tries++) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.ok(isGone(pid), `process ${pid} is still there`);
}

test('the process that ran init is the first instance, further ones are processes of their own', async (t) => {
  const { sandboxes, spec } = await open(t, 'let n = 0; exports.handler = async () => [process.pid, ++n];');
  const template = await boot(sandboxes, spec);
  assert.ok(template.initMs > 0);
  const [first, second] = [template.fork(), template.fork()];
  assert.equal(second.start, 'spawn');
  // The second is given its invocation before its process is there.
  const [a, b] = await Promise.all([invoke(first), invoke(second)]);
  const [[pidA, nA], [pidB, nB]] = [a.value, b.value] as [[number, number], [number, number]];
  assert.notEqual(pidA, pidB);
  assert.deepEqual([nA, nB], [1, 1]);
  template.close();
  assert.deepEqual(await template.closed, { kind: 'ended' });
  assert.deepEqual(((await invoke(first)).value as number[])[1], 2, 'instances live on when their template is closed');
});

test('a killed instance is gone with the processes it started, and with its temporary files', async (t) => {
  const { sandboxes, spec, temporary } = await open(
    t,
    `exports.handler = async () => {
      require('node:fs').writeFileSync(require('node:os').tmpdir() + '/file', 'x');
      return [process.pid, require('node:child_process').spawn('sleep', ['1000']).pid];
    };`,
  );
  const instance = (await boot(sandboxes, spec)).fork();
  const [pid, child] = (await invoke(instance)).value as [number, number];
  assert.equal((await readdir(temporary)).length, 1);
  instance.kill();
  assert.deepEqual(await instance.closed, { kind: 'ended' });
  await goes(pid);
  await goes(child);
  while ((await readdir(temporary)).length > 0) await new Promise((resolve) => setTimeout(resolve, 5));
});

test('an instance that ends by itself takes the processes it started along', async (t) => {
  const { sandboxes, spec } = await open(
    t,
    `exports.handler = async () => { console.log(require('node:child_process').spawn('sleep', ['1000'], { stdio: 'ignore' }).pid); process.exit(1); };`,
  );
  const logs: string[] = [];
  const end = await invoke((await boot(sandboxes, spec)).fork(), {}, (text) => logs.push(text));
  assert.equal(end.kind, 'died');
  await goes(Number(logs[0]!.split('\t')[3]));
});

test('a spinning instance is killed, and its invocation ends', async (t) => {
  const { sandboxes, spec } = await open(t, `exports.handler = async () => { for (;;); };`);
  const instance = (await boot(sandboxes, spec)).fork();
  const end = invoke(instance);
  instance.kill();
  assert.deepEqual(await end, { kind: 'died', exit: { kind: 'ended' } });
});

test('memory outside of the heap counts as well', async (t) => {
  const { sandboxes, spec } = await open(
    t,
    // No more than it takes: who counts it may be late.
    `exports.handler = async () => {
      const all = [];
      for (;;) { if (all.length < 40) all.push(Buffer.alloc(1e7, 1)); await new Promise((r) => setTimeout(r, 1)); }
    };`,
  );
  assert.deepEqual(await invoke((await boot(sandboxes, spec)).fork()), { kind: 'died', exit: { kind: 'outOfMemory' } });
});

test('a flood of output does not keep the others from answering', async (t) => {
  const { sandboxes, spec } = await open(
    t,
    `exports.handler = async (e) => { for (let n = 0; e.flood; n++) console.log('x'.repeat(100), n); return 1; };`,
  );
  const template = await boot(sandboxes, spec);
  const flood = template.fork();
  let lines = 0;
  const flooding = new Promise<void>((resolve) => {
    void invoke(flood, { flood: true }, () => {
      if (++lines === 1_000) resolve();
    });
  });
  await flooding;
  assert.equal((await invoke(template.fork())).value, 1);
  flood.kill();
  await flood.closed;
});

test('what cannot run here is refused, and nothing starts after close', async (t) => {
  const { sandboxes, spec } = await open(t, `exports.handler = async () => 1;`);
  const failed = (error: unknown) => error instanceof HearthError && error.code === 'SandboxFailed';
  await assert.rejects(sandboxes.boot({ ...spec, runtime: 'java21' }, { log() {} }), failed);
  await assert.rejects(sandboxes.boot({ ...spec, codeDirectory: '/nowhere' }, { log() {} }), failed);
  const template = await boot(sandboxes, spec);
  const instance = template.fork();
  assert.equal((await invoke(instance)).value, 1);
  await Promise.all([sandboxes.close(), sandboxes.close()]);
  assert.deepEqual(await instance.closed, { kind: 'ended' });
  await assert.rejects(sandboxes.boot(spec, { log() {} }), failed);
  assert.deepEqual(await template.fork().closed, { kind: 'ended' });
});

test('no function outlives a host that is killed, not even one that spins', async (t) => {
  const { spec, directory } = await open(t, `exports.handler = async () => { console.log(process.pid); for (;;); };`);
  const host = `
    import { SpawnSandboxes } from ${JSON.stringify(new URL('./mod.ts', import.meta.url).href)};
    import { silentLog, systemClock } from ${JSON.stringify(new URL('../../kernel/mod.ts', import.meta.url).href)};
    const sandboxes = await SpawnSandboxes.open({ directory: ${JSON.stringify(join(directory, 'host'))}, log: silentLog, clock: systemClock });
    const { template } = await sandboxes.boot(${JSON.stringify(spec)}, { log() {} });
    const listener = { log: (text) => console.log(text.split('\\t')[3]), streamHead() {}, streamChunk() {}, end() {} };
    for (const instance of [template.fork(), template.fork()]) instance.invoke({ id: 'i', deadlineMs: 0, arn: 'a' }, Buffer.from('{}'), listener);
  `;
  await writeFile(join(directory, 'host.mjs'), host);
  const child = spawn(process.execPath, [join(directory, 'host.mjs')], { stdio: ['ignore', 'pipe', 'inherit'] });
  killAfter(t, child);
  let text = '';
  const pids = () => [...text.matchAll(/^(\d+)\n/gm)].map(([, pid]) => Number(pid));
  while (pids().length < 2) text += String((await once(child.stdout, 'data'))[0]);
  assert.ok(!pids().some(isGone));
  child.kill('SIGKILL');
  for (const pid of pids()) await goes(pid);
});
