import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { manualClock } from '../../kernel/mod.ts';
import { LOOK_EVERY_MS } from '../../ports/mod.ts';
import { temporaryDirectory } from '../../../test/temporary.ts';
import type { Hierarchy } from './cgroup-tree.ts';
import { LinuxMachine } from './machine.ts';

const GiB = 1024 ** 3;
const MiB = 1024 ** 2;

/** Files as the kernel has them. */
function lay(t: TestContext, files: Readonly<Record<string, string | number>>) {
  const directory = temporaryDirectory(t);
  const write = (more: Readonly<Record<string, string | number>>) => {
    for (const [path, content] of Object.entries(more)) {
      mkdirSync(dirname(join(directory, path)), { recursive: true });
      writeFileSync(join(directory, path), `${content}\n`);
    }
  };
  write({ 'proc/meminfo': 'MemTotal:       16777216 kB\nMemFree:  1 kB\nMemAvailable:    8388608 kB', ...files });
  const clock = manualClock();
  const open = (...hierarchies: readonly Hierarchy[]) => new LinuxMachine({ clock, proc: join(directory, 'proc'), hierarchies });
  return { directory, write, open, later: () => clock.advance(LOOK_EVERY_MS) };
}

const v2 = (directory: string): Hierarchy => ({ version: 2, root: join(directory, 'cg'), own: join(directory, 'cg/a/b'), controllers: [] });

test('without limits there is what the machine has, and of an old kernel no pressure is known', (t) => {
  const { open } = lay(t, {
    'proc/loadavg': '0.1 0.2 0.3 2/345 999',
    'proc/sys/kernel/pid_max': 4_194_304,
    'proc/sys/kernel/threads-max': 1_000,
  });
  const { memory, processes, pressure } = open().look();
  assert.deepEqual(memory, { limitMiB: 16 * 1024, availableMiB: 8 * 1024 });
  assert.deepEqual(processes, { used: 345, limit: 1_000 });
  assert.deepEqual(pressure, { cpu: undefined, memory: undefined });
});

test('where the kernel has pressure, it is the average of 10 s of those who waited', (t) => {
  const { open } = lay(t, {
    'proc/pressure/cpu': 'some avg10=81.25 avg60=1.00 avg300=2.00 total=3\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0',
    'proc/pressure/memory': 'some avg10=0.50 avg60=1.00 avg300=2.00 total=3\nfull avg10=7.00 avg60=0.00 avg300=0.00 total=0',
  });
  assert.deepEqual(open().look().pressure, { cpu: 81.25, memory: 0.5 });
});

test('of the groups above this process the tightest counts, and files that nobody needs are no use', (t) => {
  const { directory, open, write, later } = lay(t, {
    'cg/a/b/memory.max': 'max',
    'cg/a/b/pids.max': 'max',
    'cg/a/memory.max': 4 * GiB,
    'cg/a/memory.current': 3 * GiB,
    'cg/a/memory.stat': `anon ${2 * GiB}\ninactive_file ${GiB}\nactive_file 5`,
    'cg/a/pids.max': 500,
    'cg/a/pids.current': 499,
    'cg/pids.max': 400,
    'cg/pids.current': 10,
  });
  const machine = open(v2(directory));
  assert.deepEqual(machine.look().memory, { limitMiB: 4 * 1024, availableMiB: 2 * 1024 });
  assert.deepEqual(machine.look().processes, { used: 499, limit: 500 });
  write({ 'cg/a/memory.current': 10 * GiB });
  later();
  assert.deepEqual(machine.look().memory, { limitMiB: 4 * 1024, availableMiB: 0 });
  // The limit is lifted while it runs.
  write({ 'cg/a/memory.max': 'max' });
  later();
  assert.deepEqual(machine.look().memory, { limitMiB: 16 * 1024, availableMiB: 8 * 1024 });
});

test('version 1 has a hierarchy for each, and a number for no limit', (t) => {
  const { directory, open } = lay(t, {
    'memory/own/memory.limit_in_bytes': '9223372036854771712',
    'memory/memory.limit_in_bytes': 1_000 * MiB,
    'memory/memory.usage_in_bytes': 700 * MiB,
    'memory/memory.stat': `inactive_file 1\ntotal_inactive_file ${100 * MiB}`,
    'pids/own/pids.max': 50,
    'pids/own/pids.current': 7,
  });
  const of = (name: 'memory' | 'pids'): Hierarchy => ({
    version: 1,
    root: join(directory, name),
    own: join(directory, name, 'own'),
    controllers: [name],
  });
  const look = open(of('memory'), of('pids')).look();
  assert.deepEqual(look.memory, { limitMiB: 1_000, availableMiB: 400 });
  assert.deepEqual(look.processes, { used: 7, limit: 50 });
});
