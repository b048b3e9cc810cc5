/**
 * A function whose instances turn against each other. One stays for a while, with a child and sockets of its own; another tries what it can do
 * to all processes that it sees.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import { address, attempt, call, pinned } from './libc.mjs';

async function connect(path) {
  const socket = net.connect(path);
  try {
    await once(socket, 'connect');
    return 'got through';
  } catch (error) {
    return `refused: ${error.code}`;
  } finally {
    socket.destroy();
  }
}

const GATE = 4711;
/** Whether somebody stays; `release`: no longer than this. */
async function knock({ release }) {
  const socket = net.connect(GATE, '127.0.0.1');
  try {
    await once(socket, 'connect');
    if (release) socket.write('go');
    await new Promise((resolve) => setTimeout(resolve, 10));
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

let stayed = 0;

/** Everything here with a secret: in its memory, its environment, its files, its child's environment and arguments, its sockets. */
async function stay({ secret }) {
  process.env.SECRET = secret;
  fs.writeFileSync('/tmp/secret', secret);
  const child = spawn('/bin/sleep', ['1000'], { env: { SECRET: secret }, cwd: '/tmp' });
  const servers = ['\0sibling', '/tmp/sibling'].map((path) => net.createServer().listen(path));
  let signals = 0;
  for (const signal of ['SIGUSR2', 'SIGTERM', 'SIGHUP', 'SIGINT', 'SIGCONT', 'SIGIO']) process.on(signal, () => signals++);
  // Loopback is the one thing that instances of one version share on purpose.
  const gate = net.createServer().listen(GATE, '127.0.0.1');
  await new Promise((resolve) => gate.on('connection', (socket) => socket.on('error', resolve).on('data', resolve)));
  gate.close();
  const alive = child.exitCode === null && child.signalCode === null;
  for (const server of servers) server.close();
  child.kill();
  process.removeAllListeners();
  stayed++;
  // What one instance leaves to itself is its own affair.
  fs.rmSync('/tmp/secret');
  return { pid: process.pid, child: child.pid, signals, alive, files: fs.readdirSync('/tmp') };
}

/** Tries everything on all processes but its own. */
async function reach({ numbers }) {
  const found = {};
  const others = fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  const limit = pinned();
  const vector = pinned();
  vector.writeBigUInt64LE(address(limit), 0);
  vector.writeBigUInt64LE(8n, 8);
  found.listed = others.includes('1') || others.includes('2') ? 'got others' : 'refused: hidden';
  // Those that it could see, and those whose numbers it can guess.
  for (let pid = 1; pid <= 12; pid++) {
    if (pid === process.pid) continue;
    for (const file of [
      'cmdline',
      'stat',
      'environ',
      'mem',
      'maps',
      'auxv',
      'syscall',
      'stack',
      'pagemap',
      'io',
      'map_files',
      'fdinfo',
      'cwd',
      'root',
      'exe',
      'ns/mnt',
      'timers',
    ])
      found[`${pid} ${file}`] = attempt(
        () =>
          (/cwd|root|exe|fdinfo|map_files|ns/.test(file) ? fs.readdirSync(`/proc/${pid}/${file}`) : fs.readFileSync(`/proc/${pid}/${file}`))
            .length,
      );
    for (const fd of [3, 5, 20]) found[`${pid} fd ${fd}`] = attempt(() => fs.openSync(`/proc/${pid}/fd/${fd}`));
    for (const file of ['mem', 'oom_score_adj', 'clear_refs', 'coredump_filter', 'comm', 'timerslack_ns'])
      found[`${pid} write ${file}`] = attempt(() => fs.writeFileSync(`/proc/${pid}/${file}`, '1'));
    found[`${pid} limits`] = call(numbers.prlimit, pid, 0, address(limit), 0);
    found[`${pid} ptrace`] = call(numbers.ptrace, 0x4206, pid, 0, 0);
    found[`${pid} readv`] = call(numbers.readv, pid, address(vector), 1, address(vector), 1, 0);
    if (pid === 1) continue;
    for (const signal of ['SIGUSR2', 'SIGTERM', 'SIGCONT', 'SIGKILL', 'SIGSTOP'])
      found[`${pid} ${signal}`] = attempt(() => process.kill(pid, signal));
    found[`${pid} group`] = attempt(() => process.kill(-pid, 'SIGKILL'));
    found[`${pid} queue`] = call(numbers.queue, pid, 12, address(limit));
    found[`${pid} thread`] = call(numbers.tgkill, pid, pid, 9);
    const fd = call(numbers.pidfd, pid, 0);
    if (fd.startsWith('got ')) found[`${pid} by descriptor`] = call(numbers.pidfdSignal, Number(fd.slice(4)), 9, 0, 0);
  }
  found.abstract = await connect('\0sibling');
  found.path = await connect('/tmp/sibling');
  found.file = attempt(() => fs.readFileSync('/tmp/secret', 'latin1'));
  return { pid: process.pid, found };
}

/** Has the kernel send it SIGIO for another's pid, when something arrives on a socket. */
async function ownedSignal({ pid, numbers }) {
  const [F_SETOWN, O_ASYNC, F_SETFL] = [8, 0o20000, 4];
  const server = net.createServer((socket) => socket.write('x')).listen('\0own');
  const socket = net.connect('\0own');
  await once(socket, 'connect');
  const fd = socket._handle.fd;
  const results = [call(numbers.fcntl, fd, F_SETOWN, pid), call(numbers.fcntl, fd, F_SETFL, O_ASYNC | 0o4000)];
  await once(socket, 'data');
  socket.destroy();
  server.close();
  return results;
}

const attempts = {
  stay,
  reach,
  ownedSignal,
  signalAll: () => attempt(() => process.kill(-1, 'SIGKILL')),
  knock,
  /** A child that leaves its session and minds no signal, and what that starts; then its own end. */
  leaveDaemon: () => {
    const script = 'setsid sh -c "trap : TERM HUP INT; cd /; tail -f /dev/null & tail -f /dev/null" >/dev/null 2>&1 </dev/null & echo left';
    spawnSync('sh', ['-c', script]);
    process.exit(1);
  },
  mark: ({ mark }) => {
    const before = {
      environment: process.env.MARK,
      global: globalThis.mark,
      files: fs.readdirSync('/tmp'),
      prototype: Object.prototype.mark,
      stayed,
    };
    process.env.MARK = globalThis.mark = mark;
    Reflect.set(Object.prototype, 'mark', mark);
    fs.writeFileSync(`/tmp/${mark}`, mark);
    return before;
  },
};

export const handler = ({ attempt: name, ...options }) => {
  if (name === 'none') return Promise.resolve('here');
  return Promise.resolve(attempts[name](options));
};
