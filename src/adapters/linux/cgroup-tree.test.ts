import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readHierarchies } from './cgroup-tree.ts';

const at = (mount: string, shows: string, type: string, options: string) =>
  `30 23 0:28 ${shows} ${mount} rw,relatime shared:9 - ${type} ${type} ${options}`;

test('version 1: one hierarchy for each controller, or for several; those of no use are left out', () => {
  const cgroup = '9:name=systemd:/user\n8:pids:/\n4:memory:/a/b\n3:cpuset:/\n1:cpu,cpuacct:/c\n0::/user\n';
  const mountinfo = [
    at('/sys/fs/cgroup', '/', 'tmpfs', 'rw,mode=755'),
    at('/sys/fs/cgroup/cpu,cpuacct', '/', 'cgroup', 'rw,cpu,cpuacct'),
    at('/sys/fs/cgroup/cpuset', '/', 'cgroup', 'rw,cpuset'),
    at('/sys/fs/cgroup/memory', '/', 'cgroup', 'rw,memory'),
    at('/sys/fs/cgroup/systemd', '/', 'cgroup', 'rw,name=systemd'),
    at('/sys/fs/cgroup/pids', '/', 'cgroup', 'rw,pids'),
    at('/sys/fs/cgroup/unified', '/', 'cgroup2', 'rw'),
  ].join('\n');
  assert.deepEqual(readHierarchies(cgroup, mountinfo), [
    { version: 1, root: '/sys/fs/cgroup/cpu,cpuacct', own: '/sys/fs/cgroup/cpu,cpuacct/c', controllers: ['cpu'] },
    { version: 1, root: '/sys/fs/cgroup/memory', own: '/sys/fs/cgroup/memory/a/b', controllers: ['memory'] },
    { version: 1, root: '/sys/fs/cgroup/pids', own: '/sys/fs/cgroup/pids', controllers: ['pids'] },
    { version: 2, root: '/sys/fs/cgroup/unified', own: '/sys/fs/cgroup/unified/user', controllers: [] },
  ]);
});

test('version 2: one hierarchy, wherever it is mounted', () => {
  const mountinfo = at('/sys/fs/c\\040group', '/', 'cgroup2', 'rw,nsdelegate,memory_recursiveprot');
  assert.deepEqual(readHierarchies('0::/system.slice/hearth.service\n', mountinfo), [
    { version: 2, root: '/sys/fs/c group', own: '/sys/fs/c group/system.slice/hearth.service', controllers: [] },
  ]);
});

test('in a container the mount shows a part of the hierarchy', () => {
  const mountinfo = at('/sys/fs/cgroup/memory', '/docker/0a1b', 'cgroup', 'ro,memory');
  const own = (path: string) => readHierarchies(`4:memory:${path}\n`, mountinfo).map((found) => found.own);
  assert.deepEqual(
    [own('/docker/0a1b'), own('/docker/0a1b/inner'), own('/elsewhere')],
    [['/sys/fs/cgroup/memory'], ['/sys/fs/cgroup/memory/inner'], ['/sys/fs/cgroup/memory']],
  );
});

test('a machine without control groups', () => {
  assert.deepEqual(readHierarchies('', at('/', '/', 'ext4', 'rw')), []);
});
