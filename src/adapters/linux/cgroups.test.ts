/** Against directories that stand for the kernel's: what is written where. What the kernel makes of it is in limits.test.ts, where it has controllers. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import fs, { closeSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { closeAfter, killAfter } from '../../../test/closing.ts';
import { temporaryDirectory } from '../../../test/temporary.ts';
import { manualClock, silentLog } from '../../kernel/mod.ts';
import type { Controller, Hierarchy } from './cgroup-tree.ts';
import { Cgroups } from './cgroups.ts';
import { CpuWatch } from './cpu-watch.ts';
import { MemoryWatch } from './memory-watch.ts';
import { SandboxGroups } from './sandbox-groups.ts';
import { skip } from './templates.testing.ts';

const LIMITS = { memoryBytes: 1 << 20, processes: 9, cpuMilli: 500 };
const NOBODY = 0;

/** A group of version 2 that has its controllers from above, with these processes. */
function v2(t: TestContext, { controllers = 'cpuset cpu io memory pids', given = '', pids = [process.pid] } = {}): Hierarchy {
  const root = temporaryDirectory(t);
  const own = join(root, 'hearth.service');
  mkdirSync(own);
  writeFileSync(join(own, 'cgroup.controllers'), `${controllers}\n`);
  writeFileSync(join(own, 'cgroup.subtree_control'), `${given}\n`);
  writeFileSync(join(own, 'cgroup.procs'), pids.join('\n'));
  return { version: 2, root, own, controllers: [] };
}

function v1(t: TestContext, controller: Controller): Hierarchy {
  const root = temporaryDirectory(t);
  return { version: 1, root, own: root, controllers: [controller] };
}

const open = (...hierarchies: Hierarchy[]) => Cgroups.open({ log: silentLog, hierarchies });
const hostIn = (directory: string) =>
  join(
    directory,
    readdirSync(directory).find((name) => name.startsWith(`hearth-${process.pid}-`))!,
  );
const text = (...path: string[]) => readFileSync(join(...path), 'utf8');

test('version 2: controllers are handed down, and each group has its limits', { skip }, (t) => {
  const hierarchy = v2(t, { given: 'memory pids cpu' });
  const cgroups = open(hierarchy);
  assert.deepEqual([cgroups.has('memory'), cgroups.has('pids'), cgroups.has('cpu')], [true, true, true]);
  const host = hostIn(hierarchy.own);
  assert.equal(text(host, 'cgroup.subtree_control'), '+cpu +memory +pids');
  cgroups.make()!.limit(LIMITS);
  const files = ['memory.max', 'memory.swap.max', 'memory.oom.group', 'pids.max', 'cpu.weight'];
  assert.deepEqual(
    files.map((file) => text(host, '1', file)),
    ['1048576', '0', '1', '9', '50'],
  );
});

test('version 1: a directory in each hierarchy', { skip }, (t) => {
  const [memory, pids, cpu] = [v1(t, 'memory'), v1(t, 'pids'), v1(t, 'cpu')];
  const cgroups = open(memory, pids, cpu);
  cgroups.make()!.limit(LIMITS);
  assert.deepEqual(
    [
      text(hostIn(memory.own), '1', 'memory.limit_in_bytes'),
      text(hostIn(memory.own), 'memory.swappiness'),
      text(hostIn(pids.own), '1', 'pids.max'),
      text(hostIn(cpu.own), '1', 'cpu.shares'),
    ],
    ['1048576', '0', '9', '512'],
  );
});

test('version 2: a group with processes hands no controllers down, so those of the host move below it', { skip }, (t) => {
  const hierarchy = v2(t);
  // The directory does not forget a process that is written elsewhere, as the kernel does: the last one written is there.
  assert.ok(open(hierarchy).has('memory'));
  assert.equal(text(hostIn(hierarchy.own), 'host', 'cgroup.procs'), String(process.pid));
  assert.equal(text(hierarchy.own, 'cgroup.subtree_control'), '+cpu +memory +pids');
});

test('version 2: where others have processes too, nothing is moved and nothing is left', { skip }, (t) => {
  const hierarchy = v2(t, { pids: [process.pid, process.ppid] });
  assert.equal(open(hierarchy).has('memory'), false);
  assert.deepEqual(readdirSync(hierarchy.own).toSorted(), ['cgroup.controllers', 'cgroup.procs', 'cgroup.subtree_control']);
});

test('only controllers that are there are used; without any there are no groups', { skip }, (t) => {
  const some = open(v2(t, { controllers: 'pids', given: 'pids' }));
  assert.deepEqual([some.has('memory'), some.has('pids'), some.has('cpu')], [false, true, false]);
  for (const none of [open(v2(t, { controllers: 'cpuset' })), open()])
    assert.deepEqual([none.has('pids'), none.make()], [false, undefined]);
});

test('a group that yields has its weight back afterwards, or when it is used again', { skip }, (t) => {
  const cpu = v1(t, 'cpu');
  const cgroups = open(cpu);
  const group = cgroups.make()!;
  group.limit(LIMITS);
  const files = () => ['cpu.idle', 'cpu.shares'].map((file) => text(hostIn(cpu.own), '1', file));
  group.yield(true);
  const yielding = files()[0];
  writeFileSync(join(hostIn(cpu.own), '1', 'cpu.shares'), '3');
  group.forget();
  assert.deepEqual([yielding, ...files()], ['1', '0', '512']);
});

test('a throttled group has so much of each period, until it is used again', { skip }, (t) => {
  const versions = [
    { hierarchy: v1(t, 'cpu'), files: ['cpu.cfs_period_us', 'cpu.cfs_quota_us'], seen: ['50000', '3600'], least: '1000', free: '-1' },
    { hierarchy: v2(t, { given: 'memory pids cpu' }), files: ['cpu.max'], seen: ['3600 50000'], least: '1000 50000', free: 'max 50000' },
  ];
  for (const { hierarchy, files, seen, least, free } of versions) {
    const group = open(hierarchy).make()!;
    group.limit(LIMITS);
    const settings = () => files.map((file) => text(hostIn(hierarchy.own), '1', file));
    group.throttle(72);
    assert.deepEqual(settings(), seen);
    group.throttle(3);
    assert.equal(settings().at(-1), least);
    group.forget();
    assert.equal(settings().at(-1), free);
  }
});

test('what a host that is gone has left is removed, if nobody is in it; what a living one has stays', { skip }, (t) => {
  const hierarchy = v1(t, 'pids');
  const living = open(hierarchy);
  const ours = hostIn(hierarchy.own);
  const left = join(hierarchy.own, `hearth-${process.pid}-${NOBODY}-1`);
  const inUse = join(hierarchy.own, `hearth-${process.pid}-${NOBODY}-2`);
  mkdirSync(join(left, '1'), { recursive: true });
  mkdirSync(join(inUse, '1', 'someone'), { recursive: true });
  open(hierarchy);
  assert.deepEqual([left, inUse, ours].map(existsSync), [false, true, true]);
  assert.ok(living.has('pids'));
});

test("what another host removes at the same moment is nobody's concern", { skip }, (t) => {
  const [groups, processes] = [v1(t, 'pids'), v2(t)];
  const left = join(groups.own, `hearth-${process.pid}-${NOBODY}-1`);
  mkdirSync(join(left, '1'), { recursive: true });
  const vanishing = [left, join(processes.own, 'cgroup.procs')];
  for (const name of ['readdirSync', 'readFileSync'] as const) {
    const read = fs[name] as (path: string, ...rest: unknown[]) => unknown;
    t.mock.method(fs, name, (path: string, ...rest: unknown[]) => {
      if (vanishing.includes(path)) rmSync(path, { recursive: true });
      return read(path, ...rest);
    });
  }
  syncBuiltinESMExports();
  closeAfter(t, () => {
    t.mock.restoreAll();
    syncBuiltinESMExports();
  });
  assert.ok(open(groups, processes).has('pids'));
  assert.deepEqual(vanishing.map(existsSync), [false, false]);
});

test("memory of files is not counted as the processes' own, which is looked for only where all of it is too much", { skip }, (t) => {
  const hierarchy = v2(t, { given: 'memory pids cpu' });
  const group = open(hierarchy).make()!;
  const directory = join(hostIn(hierarchy.own), '1');
  writeFileSync(join(directory, 'memory.current'), '1000\n');
  assert.equal(group.privateBytes(1000), 1000);
  writeFileSync(join(directory, 'memory.stat'), 'anon 300\nfile 600\nfile_mapped 1\n');
  assert.equal(group.privateBytes(999), 300);
});

/** A group of version 1 in which so many processes sleep. */
function sleeping(t: TestContext, count: number) {
  const hierarchy = v1(t, 'memory');
  const group = open(hierarchy).make()!;
  const directory = join(hostIn(hierarchy.own), '1');
  const children = Array.from({ length: count }, () => spawn('sleep', ['1000'], { stdio: 'ignore' }));
  for (const child of children) killAfter(t, child);
  const inGroup = (pids: readonly (number | undefined)[]) => writeFileSync(join(directory, 'cgroup.procs'), `${pids.join('\n')}\n`);
  inGroup(children.map(({ pid }) => pid));
  return { group, directory, children, inGroup };
}

test('version 1: where the kernel has just killed for want of memory nobody else is killed for it', { skip }, async (t) => {
  const { group, directory, children } = sleeping(t, 1);
  const [child] = children as [ChildProcess];
  writeFileSync(join(directory, 'memory.oom_control'), 'oom_kill_disable 0\nunder_oom 0\noom_kill 1\n');
  group.endLargest();
  const state = readFileSync(`/proc/${child.pid}/stat`, 'latin1').split(') ')[1]![0];
  assert.ok(state !== 'Z' && state !== 'X');
  const ended = once(child, 'exit');
  group.endLargest();
  assert.deepEqual(await ended, [null, 'SIGKILL']);
});

test('version 1: whoever was killed as the largest is awaited before the next one is', { skip }, async (t) => {
  const { group, children, inGroup } = sleeping(t, 2);
  const first = Promise.race(children.map(async (child) => (await once(child, 'exit'), child)));
  group.endLargest();
  const ended = await first;
  const other = children.find((child) => child !== ended)!;
  // The kernel lists it still.
  group.endLargest();
  // It lives on, and no signal waits for it.
  assert.match(readFileSync(`/proc/${other.pid}/status`, 'latin1'), /^State:\t[^XZ][^]*^SigPnd:\t0+\nShdPnd:\t0+$/m);
  inGroup([other.pid]);
  const last = once(other, 'exit');
  group.endLargest();
  assert.deepEqual(await last, [null, 'SIGKILL']);
});

test('version 1: one that is ending is listed no more, and awaited as long as it has memory', { skip }, async (t) => {
  const { group, children, inGroup } = sleeping(t, 2);
  // It takes its time to end.
  const kill = t.mock.method(process, 'kill', () => true);
  group.endLargest();
  const killed = () => kill.mock.calls.map(({ arguments: [pid] }) => pid);
  const [first] = killed();
  const other = children.find(({ pid }) => pid !== first)!.pid;
  inGroup([other]);
  group.endLargest();
  assert.deepEqual(killed(), [first]);
  kill.mock.restore();
  const ended = children.find(({ pid }) => pid === first)!;
  const exit = once(ended, 'exit');
  ended.kill('SIGKILL');
  await exit;
  const again = t.mock.method(process, 'kill', () => true);
  group.endLargest();
  assert.deepEqual(
    again.mock.calls.map(({ arguments: [pid] }) => pid),
    [other],
  );
});

test('version 1: nobody is killed while the memory of a group that was too large gets less', { skip }, async (t) => {
  const { group, directory } = sleeping(t, 1);
  // By the kernel, before the first look.
  writeFileSync(join(directory, 'memory.oom_control'), 'oom_kill_disable 0\nunder_oom 0\noom_kill 1\n');
  writeFileSync(join(directory, 'memory.usage_in_bytes'), '1000\n');
  const kill = t.mock.method(process, 'kill', () => true);
  const looks = [900, 800, 700, 700].map((bytes) => {
    writeFileSync(join(directory, 'memory.stat'), `rss ${bytes}\n`);
    assert.equal(group.privateBytes(500), bytes);
    group.endLargest();
    return kill.mock.callCount();
  });
  assert.deepEqual(looks, [0, 0, 0, 1]);
});

test('a kill for want of memory is told until the group is used again', { skip }, (t) => {
  const hierarchy = v2(t, { given: 'memory pids cpu' });
  const group = open(hierarchy).make()!;
  const events = (kills: number) =>
    writeFileSync(join(hostIn(hierarchy.own), '1', 'memory.events'), `low 0\noom 1\noom_kill ${kills}\noom_group_kill 0\n`);
  const seen = [0, 2].map((kills) => {
    events(kills);
    return group.outOfMemory;
  });
  group.forget();
  seen.push(group.outOfMemory);
  events(3);
  seen.push(group.outOfMemory);
  assert.deepEqual(seen, [false, true, false, true]);
});

test('the memory of a template is limited until it forks, that of each instance always', { skip }, (t) => {
  const versions = [
    { hierarchy: v1(t, 'memory'), files: ['memory.limit_in_bytes'], none: '-1' },
    { hierarchy: v2(t, { given: 'memory pids cpu' }), files: ['memory.max'], none: 'max' },
  ];
  for (const { hierarchy, files, none } of versions) {
    const clock = manualClock();
    const watches = { watch: new MemoryWatch(clock), cpuWatch: new CpuWatch({ clock, yieldAll: () => {} }) };
    const groups = new SandboxGroups({ cgroups: open(hierarchy), ...watches, clock, invocation: () => undefined });
    const host = hostIn(hierarchy.own);
    const limits = (group: string) => files.map((file) => text(host, group, file));
    const doors = [...groups.begin({ memoryMiB: 2, tmpMiB: 0 })];
    clock.advance(1_000);
    const limited = files.map(() => String(2 << 20));
    assert.deepEqual(limits('1'), limited);
    doors.push(...groups.take(1));
    clock.advance(1_000);
    assert.deepEqual([limits('1'), limits('2')], [files.map(() => none), limited]);
    for (const door of doors) closeSync(door);
  }
});
