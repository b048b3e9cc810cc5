/**
 * A function that tries to get out of its sandbox. Each attempt answers with what came of it: what it got, or `refused: CODE`.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import dns from 'node:dns/promises';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import { address, attempt, call, pinned, string } from './libc.mjs';

async function later(run) {
  try {
    return `got ${String(await run()).slice(0, 200)}`;
  } catch (error) {
    return `refused: ${error.code ?? error.message}`;
  }
}

const each = (items, run) => Object.fromEntries(items.map((item) => [String(item), run(item)]));
const tryOpen = (flags) => (path) => attempt(() => fs.openSync(path, flags));

// Getters and the like that init puts into the way of what comes after it: which rights does the process have when they run?
const seen = new Set();
function rights() {
  const fields = /^CapPrm:\s+(\S+)\nCapEff:\s+(\S+)/m.exec(fs.readFileSync('/proc/self/status', 'latin1'));
  return fields.slice(1).join();
}
function watch(target, name) {
  const original = target[name];
  const watcher = function (...args) {
    if (!watcher.busy) {
      watcher.busy = true;
      seen.add(`${name}: ${rights()}`);
      watcher.busy = false;
    }
    return new.target ? Reflect.construct(original, args, new.target) : Reflect.apply(original, this, args);
  };
  Object.assign(watcher, { busy: true });
  Object.defineProperties(
    watcher,
    Object.fromEntries(
      Object.entries(Object.getOwnPropertyDescriptors(original)).filter(
        ([key]) => !['length', 'name', 'arguments', 'caller'].includes(key),
      ),
    ),
  );
  Object.defineProperty(target, name, { value: watcher, configurable: true, writable: true });
  setImmediate(() => (watcher.busy = false));
  return () => void (watcher.busy = false);
}
if (process.env.WATCH) {
  const arm = [
    ...['Number', 'BigInt'].map((name) => watch(globalThis, name)),
    watch(process, 'chdir'),
    watch(Object, 'defineProperty'),
    watch(JSON, 'parse'),
    watch(Buffer, 'from'),
    watch(Buffer.prototype, 'readUInt32LE'),
    watch(Buffer.prototype, 'toString'),
    watch(Array.prototype, 'push'),
  ];
  for (const each of arm) each();
}

const attempts = {
  open: ({ paths, flags }) => each(paths, tryOpen(flags)),
  list: ({ paths }) => each(paths, (path) => attempt(() => fs.readdirSync(path))),
  write: ({ paths }) => each(paths, (path) => attempt(() => fs.writeFileSync(path, 'x'))),
  calls: ({ numbers }) => Object.fromEntries(Object.entries(numbers).map(([name, [number, ...args]]) => [name, call(number, ...args)])),
  setns: ({ number }) =>
    each(['mnt', 'pid', 'net', 'ipc', 'uts', 'user', 'cgroup'], (kind) => call(number, fs.openSync(`/proc/self/ns/${kind}`, 'r'), 0)),
  mknod: ({ number }) => call(number, -100, string('/tmp/disk'), 0o060666, (254 << 8) | 0),
  setuid: () => {
    const programs = ['/usr/bin/su', '/usr/bin/mount', '/usr/bin/passwd', '/usr/bin/newgrp', '/usr/bin/chsh'].filter((path) =>
      fs.existsSync(path),
    );
    fs.copyFileSync('/usr/bin/id', '/tmp/id');
    const chmod = attempt(() => fs.chmodSync('/tmp/id', 0o6755));
    return {
      setuid: attempt(() => process.setuid(0)),
      setgid: attempt(() => process.setgid(0)),
      setgroups: attempt(() => process.setgroups([0])),
      programs: programs.map(
        (path) =>
          `${path} ${fs.statSync(path).mode & 0o4000 ? 'set-uid' : ''} ${/^Uid:\s+\d+\s+0\s/m.test(execFileSync('/bin/cat', ['/proc/self/status']).toString())}`,
      ),
      own: `${chmod} ${execFileSync('/tmp/id', ['-u']).toString().trim()}`,
      mount: spawnSync('/usr/bin/mount', ['-t', 'tmpfs', 'none', '/tmp']).status,
    };
  },
  connect: async ({ targets }) => {
    const results = {};
    for (const target of targets) {
      const socket = net.connect(target);
      results[JSON.stringify(target)] = await later(() => once(socket, 'connect'));
      socket.destroy();
    }
    return results;
  },
  resolve: ({ name }) => later(() => dns.lookup(name)),
  signal: ({ pid, signal }) => attempt(() => process.kill(pid, signal)),
  about: () => ({
    pid: process.pid,
    parent: process.ppid,
    status: fs.readFileSync('/proc/self/status', 'latin1'),
    shared: fs
      .readFileSync('/proc/self/maps', 'latin1')
      .split('\n')
      .filter((line) => /^\S+ \S{3}s/.test(line)),
    root: fs.readdirSync('/'),
    processes: fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name)),
    environment: Object.keys(process.env),
  }),
  /** Leaves a mark in everything that was inherited, or looks for it. */
  inherited: ({ leave, epollControl }) => {
    const found = [];
    const mark = pinned();
    mark.writeBigUInt64LE(7n);
    const watched = leave ? fs.openSync('/proc/self/mounts') : -1;
    for (const name of fs.readdirSync('/proc/self/fd')) {
      const fd = Number(name);
      const target = attempt(() => fs.readlinkSync(`/proc/self/fd/${fd}`));
      const info = attempt(() => fs.readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'));
      if (fd < 3 || !target.startsWith('got ')) continue;
      if (target.includes('io_uring')) found.push(`${fd}: an io_uring`);
      if (target.includes('pipe:')) found.push(leave ? target : undefined);
      if (target.includes('eventfd')) {
        if (leave) attempt(() => fs.writeSync(fd, mark, 0, 8));
        else if (/eventfd-count:\s+0*[^0\s]/.test(info)) found.push(`${fd}: an eventfd that somebody has written to`);
      }
      if (target.includes('eventpoll')) {
        const event = pinned();
        event.writeUInt32LE(1, 0);
        event.writeUInt32LE(0x7ffffff0, 4);
        if (leave) call(epollControl, fd, 1, watched, address(event));
        else if (info.includes('7ffffff0')) found.push(`${fd}: an epoll that somebody has put something into`);
      }
    }
    return leave
      ? found
      : [
          ...found.filter(Boolean),
          ...fs
            .readdirSync('/proc/self/fd')
            .map((fd) => attempt(() => fs.readlinkSync(`/proc/self/fd/${fd}`)))
            .filter((target) => target.includes('pipe:')),
        ];
  },
  rights: () => ({ now: rights(), seen: [...seen] }),
  limits: ({ number }) => {
    const pair = pinned();
    pair.writeBigUInt64LE(1n << 40n, 0);
    pair.writeBigUInt64LE(1n << 40n, 8);
    return each([2, 6, 7], (resource) => call(number, 0, resource, address(pair), 0));
  },
};

export const handler = ({ attempt: name, ...options }) => {
  if (name === 'none') return Promise.resolve('here');
  return Promise.resolve(attempts[name](options));
};
