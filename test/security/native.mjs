/**
 * A function with native code, through node:ffi: system calls by number, machine code of its own, memory that it must not change. Each attempt
 * answers with what came of it: `got RESULT`, or `refused: CODE`.
 */
import { spawn, spawnSync } from 'node:child_process';
import ffi from 'node:ffi';
import fs from 'node:fs';
import { address, attempt, c, call, pinned, string } from './libc.mjs';

const [PROT_READ, PROT_WRITE, PROT_EXEC, MAP_PRIVATE, MAP_ANONYMOUS] = [1, 2, 4, 2, 32];
const FILE = '/usr/bin/env';

const attempts = {
  calls: ({ numbers }) => Object.fromEntries(Object.entries(numbers).map(([name, [number, ...args]]) => [name, call(number, ...args)])),
  /** Calls with a path as one of their arguments: `path` stands for it. */
  paths: ({ numbers }) =>
    Object.fromEntries(
      Object.entries(numbers).map(
        ([
          name,
          {
            path,
            call: [number, ...args],
          },
        ]) => {
          const at = string(path);
          return [name, call(number, ...args.map((argument) => (argument === 'path' ? at : argument)))];
        },
      ),
    ),
  /** Runs machine code in a page that is writable and executable. */
  machineCode: ({ code }) => {
    const page = c.mmap(0n, 4096n, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0n);
    Buffer.from(ffi.toArrayBuffer(page, 4096, false)).set(code);
    const pair = address(pinned());
    c.bsearch(pair, pair, 1n, 8n, page);
    return 'went on';
  },
  /** Writes through its own memory, at a file that is mapped read-only. */
  mappedFile: ({ prctl }) => {
    const PR_SET_DUMPABLE = 4;
    call(prctl, PR_SET_DUMPABLE, 1);
    const file = fs.openSync(FILE, 'r');
    const mapped = c.mmap(0n, 4096n, PROT_READ, MAP_PRIVATE, file, 0n);
    const memory = fs.openSync('/proc/self/mem', 'r+');
    fs.writeSync(memory, 'changed', 0, 'latin1');
    const position = Number(mapped);
    fs.writeSync(memory, Buffer.from('changed'), 0, 7, position);
    return fs.readFileSync(FILE).subarray(0, 7).toString('latin1');
  },
  /** Puts a page of a file into a pipe, and writes to that pipe. */
  splicedFile: ({ splice, vmsplice, pipe }) => {
    const ends = pinned();
    call(pipe, address(ends), 0);
    const file = fs.openSync(FILE, 'r');
    const offset = pinned();
    const spliced = call(splice, file, address(offset), ends.readInt32LE(4), 0, 1, 0);
    fs.writeSync(ends.readInt32LE(4), 'changed');
    const vector = pinned();
    vector.writeBigUInt64LE(address(pinned()), 0);
    vector.writeBigUInt64LE(16n, 8);
    call(vmsplice, ends.readInt32LE(4), address(vector), 1, 8);
    return [spliced, fs.readFileSync(FILE).subarray(0, 7).toString('latin1')];
  },
  /** A filter that allows everything, on top of the one that is there. */
  ownFilter: ({ seccomp, mount }) => {
    const program = pinned();
    program.writeUInt16LE(1, 0);
    program.writeBigUInt64LE(address(program) + 16n, 8);
    program.writeUInt16LE(0x06, 16);
    program.writeUInt32LE(0x7fff0000, 20);
    return [call(seccomp, 1, 0, address(program)), call(mount, 0, 0, 0, 0, 0)];
  },
  /** A namespace by way of a process's descriptor. */
  byDescriptor: ({ pidfdOpen, setns, pidfdGetfd, pid }) => {
    const opened = call(pidfdOpen, pid, 0);
    if (!opened.startsWith('got ')) return { opened };
    const fd = Number(opened.slice(4));
    const namespaces = [0x20000, 0x40000000, 0x20000000, 0x10000000].map((flag) => [`enter ${flag.toString(16)}`, call(setns, fd, flag)]);
    return { ...Object.fromEntries(namespaces), descriptor: call(pidfdGetfd, fd, 0, 0) };
  },
  /** Memory without a name, executed. */
  memoryFile: ({ memfdCreate }) => {
    const fd = Number(call(memfdCreate, string('program'), 0).slice(4));
    fs.writeSync(fd, fs.readFileSync('/usr/bin/id'));
    const chmod = attempt(() => fs.fchmodSync(fd, 0o6777));
    return new Promise((resolve) => {
      const child = spawn(`/proc/self/fd/3`, ['-u'], { stdio: ['ignore', 'pipe', 'inherit', fd] });
      child.stdout.on('data', (text) => resolve(`${chmod} ${String(text).trim()}`));
      child.on('error', (error) => resolve(`refused: ${error.code}`));
    });
  },
  /** Watching what others do with files, as far as it is allowed. */
  watch: async () => {
    const changes = [];
    const watcher = fs.watch('/tmp', (_, name) => changes.push(name));
    fs.writeFileSync('/tmp/mark', '');
    for (let i = 0; changes.length === 0 && i < 500; i++) await new Promise((resolve) => setTimeout(resolve, 10));
    watcher.close();
    return changes[0];
  },
  open: ({ paths, flags }) => Object.fromEntries(paths.map((path) => [path, attempt(() => fs.openSync(path, flags))])),
  read: ({ paths }) => Object.fromEntries(paths.map((path) => [path, attempt(() => fs.readFileSync(path, 'latin1'))])),
  link: ({ paths }) => Object.fromEntries(paths.map((path, i) => [path, attempt(() => fs.linkSync(path, `/tmp/link-${i}`))])),
  /** The kernel's own addresses, where it shows any. */
  addresses: () =>
    ['/proc/kallsyms', '/proc/modules', '/proc/self/wchan', '/proc/iomem', '/proc/net/unix', '/proc/net/tcp'].flatMap((path) => {
      try {
        return fs.readFileSync(path, 'latin1').match(/\b[0f]{0,2}ffff[0-9a-f]{8,12}\b/g) ?? [];
      } catch {
        return [];
      }
    }),
  touch: ({ path }) => spawnSync('/usr/bin/touch', ['-c', path]).stderr.toString(),
};

export const handler = ({ attempt: name, ...options }) => {
  if (name === 'none') return Promise.resolve('here');
  return Promise.resolve(attempts[name](options));
};
