/** Bombs in real sandboxes: each ends its own instance, as the machine's control groups or, without them, resource limits have it. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import type { Instance } from '../../ports/mod.ts';
import { silentLog } from '../../kernel/mod.ts';
import { Cgroups, ownHierarchies } from './cgroups.ts';
import { invoke, openTemplates, skip as noLinux, valueOf } from './templates.testing.ts';

const FUNCTION = `
  import { spawn, spawnSync } from 'node:child_process';
  import { once } from 'node:events';
  import fs from 'node:fs';
  const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  const deeds = {
    pid: () => process.pid,
    async buffers() { for (const hoard = []; ; await wait(0)) hoard.push(Buffer.alloc(1 << 22, 1)); },
    async child() {
      const child = spawn('/bin/sh', ['-c', 'head -c 400m /dev/zero | tail -c 399m >/dev/null'], { stdio: 'ignore' });
      return (await once(child, 'exit'))[0] !== 0;
    },
    // Each keeps what comes before it lets go of anything.
    async children() {
      const one = () => spawn('/usr/bin/tail', ['-c', '40m'], { stdio: ['pipe', 'ignore', 'ignore'] });
      const ends = Array.from({ length: 12 }, () => {
        const child = one();
        child.stdin.on('error', () => {});
        for (let i = 0; i < 39; i++) child.stdin.write(Buffer.alloc(1 << 20, 1));
        return once(child, 'exit');
      });
      return (await Promise.race(ends))[1];
    },
    tmp() {
      const piece = Buffer.alloc(1 << 20, 1);
      for (let i = 0; i < 200; i++) fs.appendFileSync('/tmp/big', piece);
    },
    async forkBomb() {
      spawn('/bin/sh', ['-c', 'b() { b | b & }; b'], { stdio: 'ignore', detached: true });
      await wait(60_000);
    },
    async processes() {
      const refused = () => spawnSync('/bin/true').error?.code;
      const held = [];
      for (let i = 0; i < 5_000; i++) {
        const child = spawn('/bin/sleep', ['1000'], { stdio: 'ignore' });
        child.on('error', () => {});
        if (child.pid === undefined) break;
        held.push(child);
      }
      const seen = [held.length, refused()];
      for (const child of held) child.kill('SIGKILL');
      return seen;
    },
    spawn: () => spawnSync('/bin/true').status,
  };
  export const handler = async ({ deed }) => deeds[deed]();`;

const killed = { kind: 'died', exit: { kind: 'outOfMemory' } };
const hierarchies = noLinux ? [] : ownHierarchies();
const groups = Cgroups.open({ log: silentLog, hierarchies });
const grouped = noLinux || (groups.has('memory') && groups.has('pids') ? false : 'this machine has no control groups for this user');
await groups.close();

async function setUp(t: TestContext, more: { readonly memoryMiB?: number; readonly tmpMiB?: number; readonly cgroups?: boolean } = {}) {
  const { boot } = await openTemplates(t, undefined, more.cgroups === false ? { hierarchies: [] } : {});
  const template = await boot(FUNCTION, { memoryMiB: more.memoryMiB ?? 128, tmpMiB: more.tmpMiB ?? 16 });
  const sibling = template.fork();
  const pid = await valueOf(sibling, { deed: 'pid' });
  return {
    fork: () => template.fork(),
    /** The sibling is as it was, and there will be more. */
    async unharmed() {
      assert.equal(await valueOf(sibling, { deed: 'pid' }), pid);
      assert.equal(await valueOf(sibling, { deed: 'spawn' }), 0);
      const next = template.fork();
      assert.equal(await valueOf(next, { deed: 'spawn' }), 0);
      next.kill();
      await next.closed;
    },
  };
}

test('memory outside of the heap: the instance is out of memory, and nobody else', { skip: grouped }, async (t) => {
  const { fork, unharmed } = await setUp(t);
  assert.deepEqual(await invoke(fork(), { deed: 'buffers' }), killed);
  await unharmed();
});

test('the room of /tmp is not to be had as memory', { skip: grouped }, async (t) => {
  const { fork, unharmed } = await setUp(t, { tmpMiB: 10_240 });
  assert.deepEqual(await invoke(fork(), { deed: 'buffers' }), killed);
  await unharmed();
});

test('what is in /tmp is not counted as memory', { skip: grouped }, async (t) => {
  const { fork } = await setUp(t, { tmpMiB: 512 });
  const instance = fork();
  // More than the memory; and the child has room for its own there, which it doesn't get.
  await valueOf(instance, { deed: 'tmp' });
  assert.equal(await valueOf(instance, { deed: 'child' }), true);
});

test('a child process without memory left dies, and its instance sees it or dies too', { skip: grouped }, async (t) => {
  const { fork, unharmed } = await setUp(t);
  const end = await invoke(fork(), { deed: 'child' });
  if (end.kind === 'answered') assert.equal(end.value, true);
  else assert.deepEqual(end, killed);
  await unharmed();
});

test('children that are together too large are so for their instance alone', { skip: grouped }, async (t) => {
  const { fork, unharmed } = await setUp(t);
  const end = await invoke(fork(), { deed: 'children' });
  if (end.kind === 'answered') assert.equal(end.value, 'SIGKILL');
  else assert.deepEqual(end, killed);
  await unharmed();
});

test('a fork bomb leaves its siblings room, and goes with its instance', { skip: grouped }, async (t) => {
  const { fork, unharmed } = await setUp(t);
  const bombs = [fork(), fork()];
  const ends = bombs.map((bomb) => invoke(bomb, { deed: 'forkBomb' }));
  for (let i = 0; i < 5; i++) await unharmed();
  for (const bomb of bombs) bomb.kill();
  // So many processes are a lot of memory, too.
  for (const end of await Promise.all(ends))
    assert.ok(end.kind === 'died' && /^(ended|outOfMemory)$/.test(end.exit.kind), JSON.stringify(end));
  await unharmed();
});

test('1,024 processes and threads for each instance', { skip: grouped }, async (t) => {
  const { fork, unharmed } = await setUp(t, { memoryMiB: 2_048 });
  const instance = fork();
  const [held, refused] = (await valueOf(instance, { deed: 'processes' })) as [number, string];
  assert.ok(held > 900 && held < 1_024, String(held));
  assert.equal(refused, 'EAGAIN');
  await unharmed();
});

test('without control groups the limits are those of a process, and of a user', { skip: noLinux }, async (t) => {
  const { fork, unharmed } = await setUp(t, { cgroups: false });
  const end = await invoke(fork(), { deed: 'buffers' });
  if (end.kind === 'failed') assert.equal(end.error.errorType, 'RangeError');
  else assert.ok(end.kind === 'died' && end.exit.kind !== 'ended', JSON.stringify(end));
  await unharmed();
});

test('nothing of the groups is left, however many there were', { skip: grouped }, async (t) => {
  const before = groupsOfHost();
  await t.test('in a host', async (inner) => {
    const { fork } = await setUp(inner);
    const instances: Instance[] = Array.from({ length: 20 }, fork);
    await Promise.all(instances.map((instance) => valueOf(instance, { deed: 'pid' })));
    assert.ok(groupsOfHost().length > before.length);
    for (const instance of instances.slice(0, 10)) instance.kill();
  });
  assert.deepEqual(groupsOfHost(), before);
});

/** Directories of this process in all hierarchies. */
function groupsOfHost(): string[] {
  const prefix = `hearth-${process.pid}-`;
  return hierarchies.flatMap(({ own }) =>
    existsSync(own)
      ? readdirSync(own)
          .filter((name) => name.startsWith(prefix))
          .map((name) => join(own, name))
      : [],
  );
}
