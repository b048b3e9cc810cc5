/**
 * A function that takes as much as it gets of what the kernel counts, per process, per user or for the whole machine. Each attempt answers
 * with how many it got.
 */
import ffi from 'node:ffi';
import fs from 'node:fs';
import { Worker } from 'node:worker_threads';
import { address, pinned } from './libc.mjs';

const { functions: c } = ffi.dlopen('libc.so.6', {
  syscall: { return: 'i64', arguments: ['i64', 'i64', 'i64', 'i64', 'i64', 'i64', 'i64'] },
  pipe: { return: 'i32', arguments: ['pointer'] },
  fcntl: { return: 'i32', arguments: ['i32', 'i32', 'i64'] },
  epoll_create1: { return: 'i32', arguments: ['i32'] },
  epoll_ctl: { return: 'i32', arguments: ['i32', 'i32', 'i32', 'pointer'] },
  inotify_init1: { return: 'i32', arguments: ['i32'] },
  socketpair: { return: 'i32', arguments: ['i32', 'i32', 'i32', 'pointer'] },
  sendmsg: { return: 'i64', arguments: ['i32', 'pointer', 'i32'] },
  mmap: { return: 'i64', arguments: ['u64', 'u64', 'i32', 'i32', 'i32', 'i64'] },
  timer_create: { return: 'i32', arguments: ['i32', 'pointer', 'pointer'] },
  sigprocmask: { return: 'i32', arguments: ['i32', 'pointer', 'pointer'] },
  sigqueue: { return: 'i32', arguments: ['i32', 'i32', 'u64'] },
  memfd_create: { return: 'i32', arguments: ['string', 'i32'] },
  getpid: { return: 'i32', arguments: [] },
});

/** How often it went well, at most `limit` times. */
function count(limit, once) {
  for (let i = 0; i < limit; i++) if (!once(i)) return i;
  return limit;
}

const SIGRTMIN = 40;
const F_SETPIPE_SZ = 1031;
const F_OFD_SETLK = 37;

const attempts = {
  /** Pipes of the greatest size, filled. */
  pipes: () => {
    const ends = pinned();
    const filling = Buffer.alloc(64 * 1024);
    return count(2_000, () => {
      if (c.pipe(ends) !== 0) return false;
      const [reading, writing] = [ends.readInt32LE(0), ends.readInt32LE(4)];
      c.fcntl(writing, F_SETPIPE_SZ, 1024n * 1024n);
      c.fcntl(writing, 4, 0o4000n);
      try {
        for (;;) fs.writeSync(writing, filling);
      } catch {
        return reading > 0;
      }
    });
  },
  /** Everything watched by everything. */
  watches: () => {
    const event = pinned();
    event.writeUInt32LE(1, 0);
    const watchers = [];
    count(100, () => watchers.push(c.epoll_create1(0)) && watchers.at(-1) >= 0);
    const ends = pinned();
    const watched = [];
    count(250, () => c.pipe(ends) === 0 && watched.push(ends.readInt32LE(0), ends.readInt32LE(4)));
    let got = 0;
    for (const epoll of watchers) for (const fd of watched) if (c.epoll_ctl(epoll, 1, fd, event) === 0) got++;
    return got;
  },
  notifications: () => count(5_000, () => c.inotify_init1(0) >= 0),
  /** Sockets that hold descriptors which nobody has received. */
  inFlight: () => {
    const ends = pinned();
    c.socketpair(1, 2, 0, ends);
    const [head, vector, data, control] = [pinned(), pinned(), pinned(), pinned()];
    vector.writeBigUInt64LE(address(data), 0);
    vector.writeBigUInt64LE(1n, 8);
    const many = 250;
    control.writeBigUInt64LE(BigInt(16 + 4 * many), 0);
    control.writeUInt32LE(1, 8);
    control.writeUInt32LE(1, 12);
    for (let i = 0; i < many; i++) control.writeInt32LE(ends.readInt32LE(0), 16 + 4 * i);
    [0n, 0n, address(vector), 1n, address(control), BigInt(16 + 4 * many)].forEach((word, i) => head.writeBigUInt64LE(word, 8 * i));
    return count(1_000, () => c.sendmsg(ends.readInt32LE(4), head, 0x40) >= 0);
  },
  mappings: () => count(200_000, (i) => c.mmap(0n, 4096n, i % 2 ? 1 : 3, 0x22, -1, 0n) !== -1n),
  timers: () => {
    const [event, id] = [pinned(), pinned()];
    event.writeInt32LE(SIGRTMIN, 8);
    event.writeInt32LE(1, 12);
    return count(300_000, () => c.timer_create(1, event, id) === 0);
  },
  signals: () => {
    const mask = pinned();
    mask.writeBigUInt64LE(1n << BigInt(SIGRTMIN - 1), 0);
    c.sigprocmask(0, mask, null);
    return count(300_000, () => c.sigqueue(c.getpid(), SIGRTMIN, 0n) === 0);
  },
  /** Locks of single bytes, in a file of its own. */
  locks: () => {
    const fd = fs.openSync('/tmp/locked', 'w');
    const lock = pinned();
    lock.writeInt16LE(1, 0);
    return count(2_000, (i) => {
      lock.writeBigInt64LE(BigInt(2 * i), 8);
      lock.writeBigInt64LE(1n, 16);
      return c.fcntl(fd, F_OFD_SETLK, address(lock)) === 0;
    });
  },
  memoryFiles: () => count(5_000, () => c.memfd_create('hoard', 0) >= 0),
  threads: async () => {
    const workers = [];
    try {
      for (let i = 0; i < 12; i++) {
        const worker = new Worker('setInterval(() => {}, 1000)', { eval: true });
        workers.push(worker);
        await new Promise((resolve, reject) => worker.once('online', resolve).once('error', reject));
      }
    } catch {
      // As many as there was memory for.
    }
    return workers.length;
  },
  directories: () => {
    let path = '/tmp';
    return count(20_000, (i) => {
      try {
        path = i % 100 === 0 ? `/tmp/${i}` : `${path}/d`;
        fs.mkdirSync(path);
        return true;
      } catch {
        return false;
      }
    });
  },
};

export const handler = async ({ attempt: name }) => {
  if (name === 'end') process.exit(0);
  return name === 'none' ? 'here' : await attempts[name]();
};
