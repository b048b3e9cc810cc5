import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readdirSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { closeAfterAll, killAfter } from '../../../test/closing.ts';
import type { Instance, InvocationEnd, SandboxSpec, Template } from '../../ports/mod.ts';
import { LinuxSandboxes, selfTest } from './mod.ts';

const skip = process.platform === 'linux' ? false : 'the fork ladder needs Linux';
let directory: string;
let sandboxes: LinuxSandboxes;
const output: string[] = [];
/** How long processes of these tests sleep: no other process of the machine does so. */
const [A, B, C, D] = [1, 2, 3, 4].map((n) => 10_000_000_000 + process.pid * 10 + n) as [number, number, number, number];

const closeAtEnd = closeAfterAll();

before(async () => {
  if (skip) return;
  directory = await mkdtemp(join(tmpdir(), 'hearth-linux-'));
  closeAtEnd(() => rm(directory, { recursive: true, force: true }));
  await mkdir(join(directory, 'packages'));
  sandboxes = await LinuxSandboxes.open({ directory: join(directory, 'run'), packages: join(directory, 'packages') });
  closeAtEnd(() => sandboxes.close());
});

let made = 0;
async function specOf(code: string, more: Partial<SandboxSpec> = {}): Promise<SandboxSpec> {
  const codeDirectory = join(directory, 'packages', `code-${made++}`);
  await mkdir(codeDirectory, { mode: 0o755 });
  await writeFile(join(codeDirectory, 'index.mjs'), `import fs from 'node:fs';\n${code}`, { mode: 0o644 });
  const fixed = { label: 'test', runtime: 'nodejs26.x', handler: 'index.handler', layerDirectories: [], environment: {} };
  return { ...fixed, codeDirectory, memoryMiB: 128, tmpMiB: 16, initTimeoutMs: 60_000, concurrency: 1, ...more };
}

async function templateOf(code: string, more: Partial<SandboxSpec> = {}): Promise<Template> {
  const booted = await sandboxes.boot(await specOf(code, more), { log: (text) => void output.push(text) });
  assert.ok(booted.ok, JSON.stringify(booted));
  return booted.template;
}

function invoke(instance: Instance, event: unknown = {}): Promise<InvocationEnd & { readonly value?: unknown }> {
  return new Promise((resolve) => {
    const end = (heard: InvocationEnd) =>
      resolve(heard.kind === 'answered' ? { ...heard, value: JSON.parse(heard.payload.toString()) as unknown } : heard);
    const head = { id: '8a2b1c3d-0000-4000-8000-000000000000', deadlineMs: Date.now() + 60_000, arn: 'arn' };
    instance.invoke(head, Buffer.from(JSON.stringify(event)), {
      log: (text) => void output.push(text),
      streamHead() {},
      streamChunk() {},
      end,
    });
  });
}

async function value(instance: Instance, event?: unknown): Promise<unknown> {
  const end = await invoke(instance, event);
  assert.equal(end.kind, 'answered', JSON.stringify(end));
  return end.value;
}

test('the self-test sees its walls from inside', { skip }, () => selfTest(sandboxes, join(directory, 'packages')));

test('siblings share what init made and nothing that came after', { skip }, async () => {
  const template = await templateOf(`
    fs.writeFileSync('/tmp/from-init', 'init');
    let counter = Math.random();
    const shared = counter;
    export const handler = async ({ name }) => {
      counter++;
      const before = fs.readdirSync('/tmp');
      fs.writeFileSync('/tmp/' + name, name);
      return { shared, counter, before, init: fs.readFileSync('/tmp/from-init', 'utf8'), pid: process.pid, random: Math.random(), uuid: crypto.randomUUID(), int: (await import('node:crypto')).randomInt(2 ** 40) };
    };`);
  const [one, two] = [template.fork(), template.fork()];
  type Seen = { shared: number; counter: number; before: string[]; init: string; pid: number; random: number; uuid: string; int: number };
  const [a, b] = (await Promise.all([value(one, { name: 'a' }), value(two, { name: 'b' })])) as [Seen, Seen];
  const again = (await value(one, { name: 'c' })) as Seen;
  assert.equal(a.shared, b.shared);
  assert.deepEqual([a.counter, b.counter, again.counter], [a.shared + 1, a.shared + 1, a.shared + 2]);
  assert.deepEqual([a.before, b.before, again.before.toSorted()], [['from-init'], ['from-init'], ['a', 'from-init']]);
  assert.equal(a.init, 'init');
  for (const field of ['pid', 'random', 'uuid', 'int'] as const) assert.notEqual(a[field], b[field], field);
  assert.equal(again.pid, a.pid);
  one.kill();
  two.kill();
  assert.deepEqual([await one.closed, await two.closed], [{ kind: 'ended' }, { kind: 'ended' }]);
  template.close();
});

test('instances wait for their turn at the processor, so that the host is not pushed aside', { skip }, async () => {
  const template = await templateOf(
    `export const handler = async () => fs.readFileSync('/proc/self/stat', 'latin1').split(') ')[1].split(' ')[38];`,
  );
  const instance = template.fork();
  const SCHED_BATCH = '3';
  assert.equal(await value(instance), SCHED_BATCH);
  instance.kill();
  template.close();
});

test('an instance that has not answered yet is killed, and its siblings go on', { skip }, async () => {
  const template = await templateOf(`export const handler = async ({ spin }) => { while (spin); return process.pid; };`);
  const [spinning, calm] = [template.fork(), template.fork()];
  const spun = invoke(spinning, { spin: true });
  await value(calm);
  spinning.kill();
  assert.deepEqual(await spun, { kind: 'died', exit: { kind: 'ended' } });
  assert.equal(typeof (await value(calm)), 'number');
  calm.kill();
  template.close();
});

test('how an instance ended is told: exit code, signal, out of memory', { skip }, async () => {
  const template = await templateOf(`
    export const handler = async ({ how }) => {
      if (how === 'exit') process.exit(42);
      if (how === 'signal') { process.kill(process.pid, 'SIGTERM'); await new Promise(() => setInterval(() => {}, 1000)); }
      const hoard = [];
      for (;;) hoard.push(new Array(1000).fill(Math.random()));
    };`);
  const ends = await Promise.all(['exit', 'signal', 'memory'].map((how) => invoke(template.fork(), { how })));
  assert.deepEqual(ends, [
    { kind: 'died', exit: { kind: 'exited', code: 42 } },
    { kind: 'died', exit: { kind: 'signalled', signal: 'SIGTERM' } },
    { kind: 'died', exit: { kind: 'outOfMemory' } },
  ]);
  template.close();
});

test('memory outside of the heap is limited too', { skip }, async () => {
  const template = await templateOf(
    `export const handler = async () => { const hoard = []; for (;;) hoard.push(Buffer.alloc(1 << 20, 1)); };`,
  );
  const hungry = template.fork();
  const end = await invoke(hungry);
  // The allocation that fails is JavaScript's own, which throws, or V8's, which ends the process.
  if (end.kind === 'failed') assert.equal(end.error.errorType, 'RangeError');
  else assert.ok(end.kind === 'died' && end.exit.kind !== 'ended', JSON.stringify(end));
  hungry.kill();
  template.close();
});

test('init that leaves a socket behind is not shared: every instance boots by itself', { skip }, async () => {
  const template = await templateOf(`
    import net from 'node:net';
    const server = net.createServer().listen(0);
    export const handler = async () => server.address().port > 0;`);
  assert.ok(template.blockers.some(({ kind }) => kind === 'socket'));
  const instances = [template.fork(), template.fork()];
  for (const instance of instances) {
    assert.equal(instance.start, 'boot');
    assert.equal(await value(instance), true);
    instance.kill();
    await instance.closed;
  }
  template.close();
});

test('layers appear merged at /opt, the later one on top', { skip }, async () => {
  const layers = ['one', 'two'].map((name) => join(directory, 'packages', `layer-${name}`));
  for (const [i, layer] of layers.entries()) {
    await mkdir(layer, { mode: 0o755 });
    await writeFile(join(layer, 'both'), String(i), { mode: 0o644 });
    await writeFile(join(layer, `only-${i}`), '', { mode: 0o644 });
  }
  const template = await templateOf(`export const handler = async () => [fs.readdirSync('/opt'), fs.readFileSync('/opt/both', 'utf8')];`, {
    layerDirectories: layers,
  });
  assert.deepEqual(await value(template.fork()), [['both', 'only-0', 'only-1'], '1']);
  template.close();
});

test('child processes work, see the same walls, and go with their instance', { skip }, async () => {
  const template = await templateOf(`
    import { execFileSync, spawn } from 'node:child_process';
    export const handler = async ({ leave }) => {
      if (leave) return spawn('/bin/sleep', ['${A}'], { stdio: 'ignore' }).pid;
      return [execFileSync(process.execPath, ['-p', '1+1']).toString(), execFileSync('/bin/sh', ['-c', 'echo $$ > /tmp/x; cat /tmp/x | wc -l; ls /home /root /work 2>/dev/null | wc -l']).toString()];
    };`);
  const instance = template.fork();
  assert.deepEqual(await value(instance), ['2\n', '1\n0\n']);
  await value(instance, { leave: true });
  assert.equal(processesWith(`sleep\0${A}`).length, 1);
  instance.kill();
  await instance.closed;
  await gone(`sleep\0${A}`);
  template.close();
});

test('daemons go with the instance that started them, wherever they went; those of a sibling stay', { skip }, async () => {
  const template = await templateOf(`
    import { spawn } from 'node:child_process';
    import { once } from 'node:events';
    export const handler = async ({ seconds }) => {
      const shell = spawn('/bin/sh', ['-c', 'setsid sleep ' + seconds + ' & setsid setsid sleep ' + seconds + ' &'], { detached: true, stdio: 'ignore' });
      await once(shell, 'exit');
      // Until the shell's children have become what they are to be.
      const running = () => fs.readdirSync('/proc').filter((pid) => { try { return fs.readFileSync('/proc/' + pid + '/cmdline', 'latin1').startsWith('sleep\\0' + seconds); } catch { return false; } });
      while (running().length < 2) await new Promise((resolve) => setTimeout(resolve, 2));
      return running().length;
    };`);
  const [one, two] = [template.fork(), template.fork()];
  assert.equal(await value(one, { seconds: B }), 2);
  assert.equal(await value(two, { seconds: C }), 2);
  one.kill();
  await one.closed;
  await gone(`sleep\0${B}`);
  assert.equal(processesWith(`sleep\0${C}`).length, 2);
  two.kill();
  await two.closed;
  await gone(`sleep\0${C}`);
  template.close();
});

test('what init leaves running is not shared, nor copied: pipes in /tmp and processes without a handle', { skip }, async () => {
  const daemon = await templateOf(`
    import { execFileSync } from 'node:child_process';
    execFileSync('/bin/sh', ['-c', 'setsid sleep ${D} >/dev/null 2>&1 &']);
    export const handler = async () => 'here';`);
  assert.ok(
    daemon.blockers.some(({ kind }) => kind === 'child process'),
    JSON.stringify(daemon.blockers),
  );
  const serving = daemon.fork();
  assert.equal(await value(serving), 'here');
  // The shell has ended before its child has become what it is to be.
  while (processesWith(`sleep\0${D}`).length === 0) await new Promise((resolve) => setTimeout(resolve, 2));
  assert.equal(processesWith(`sleep\0${D}`).length, 1);
  serving.kill();
  await serving.closed;
  await gone(`sleep\0${D}`);
  daemon.close();

  const template = await templateOf(`
    import { execFileSync } from 'node:child_process';
    execFileSync('/usr/bin/mkfifo', ['/tmp/pipe']);
    fs.writeFileSync('/tmp/file', 'x');
    export const handler = async () => fs.readdirSync('/tmp');`);
  assert.deepEqual(await value(template.fork()), ['file']);
  template.close();
});

test('a size-limited /tmp fills up for its own instance only', { skip }, async () => {
  const template = await templateOf(`
    export const handler = async ({ fill }) => {
      try { fs.writeFileSync('/tmp/big', Buffer.alloc((fill ? 17 : 1) << 20)); return 'written'; } catch (error) { return error.code; }
    };`);
  const [full, other] = [template.fork(), template.fork()];
  assert.equal(await value(full, { fill: true }), 'ENOSPC');
  assert.equal(await value(other), 'written');
  template.close();
  full.kill();
  other.kill();
});

test('when the host is killed nothing of it is left: no process, no mount', { skip }, async (t) => {
  const host = spawn(process.execPath, ['--no-warnings', join(import.meta.dirname, 'host.testing.ts'), directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  killAfter(t, host);
  const [line] = (await once(host.stdout, 'data')) as [Buffer];
  assert.equal(line.toString(), 'ready\n');
  const run = join(directory, 'orphans');
  // The zygote, keepers and templates of a sandbox in use and a blank one, which is made meanwhile, two instances.
  for (let rounds = 0; descendants(host.pid!).length < 7; rounds++) {
    assert.ok(rounds < 3_000, `${descendants(host.pid!).length} processes`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const family = descendants(host.pid!);
  host.kill('SIGKILL');
  await once(host, 'exit');
  for (let rounds = 0; family.some(isAlive); rounds++) {
    assert.ok(rounds < 3_000, `still there: ${family.filter(isAlive).join(' ')}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.ok(!readFileSync('/proc/self/mountinfo', 'utf8').includes(run));
});

const statusOf = (pid: string): string => {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch (error) {
    // It has ended.
    assert.ok(['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? ''));
    return '';
  }
};

/** A zombie is nothing but its status. */
const isAlive = (pid: string): boolean => !['', 'Z', 'X'].includes(statusOf(pid).split(') ')[1]?.[0] ?? '');

function descendants(pid: number): string[] {
  const children = readdirSync('/proc').filter(
    (name) => /^\d+$/.test(name) && statusOf(name).split(') ')[1]?.split(' ')[1] === String(pid),
  );
  return children.flatMap((child) => [child, ...descendants(Number(child))]);
}

/** A killed process takes a moment to leave the list. */
async function gone(text: string): Promise<void> {
  for (let rounds = 0; processesWith(text).length > 0; rounds++) {
    assert.ok(rounds < 3_000, `still there: ${processesWith(text).join(' ')}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Those whose command line is this, wherever the program lies; not those that are to become so, such as `setsid sleep`. */
function processesWith(text: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'latin1')
        .replace(/^\/bin\//, '')
        .startsWith(text);
    } catch (error) {
      // It ended between the look and the reading.
      assert.ok(['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? ''));
      return false;
    }
  });
}

test('a function finds no trace of what was rehearsed before it, and no right that it could ever have', { skip }, async () => {
  const template = await templateOf(`
    import { createRequire } from 'node:module';
    const cached = Object.keys(createRequire(import.meta.url).cache);
    const bounding = /^CapBnd:\\t(.*)$/m.exec(fs.readFileSync('/proc/self/status', 'utf8'))[1];
    const { TZ, AWS_REGION, NODE_PATH } = process.env;
    export const handler = async () => ({ cached, bounding, TZ, AWS_REGION, NODE_PATH });`);
  const instance = template.fork();
  assert.deepEqual(await value(instance), { cached: [], bounding: '0000000000000000' });
  instance.kill();
  template.close();
});
