/**
 * A function whose init never ends: it says that it is done, takes the order to fork an instance itself, and with it a way into the namespace
 * in which an instance has, for a moment, all capabilities. With those it tries what it can, and answers with what came of it.
 */
import fs from 'node:fs';
import { address, attempt, c, call, pinned, string } from './libc.mjs';

const numbers = JSON.parse(process.env.NUMBERS);

/** Whose connections are known by who made them: the one to the keeper by pid 1, the one to the host by somebody who can't be seen from here. */
function madeBy(fd) {
  const SOL_SOCKET = 1;
  const SO_PEERCRED = 17;
  const [credentials, length] = [pinned(), pinned()];
  length.writeInt32LE(12);
  return c.getsockopt(fd, SOL_SOCKET, SO_PEERCRED, credentials, length) === 0 ? credentials.readInt32LE(0) : -1;
}

const sockets = fs
  .readdirSync('/proc/self/fd')
  .map(Number)
  .filter((fd) => attempt(() => fs.readlinkSync(`/proc/self/fd/${fd}`)).startsWith('got socket:'));

function frame(kind, stream, payload) {
  const head = Buffer.alloc(9);
  head.writeUInt32LE(payload.length, 0);
  head[4] = kind;
  head.writeUInt32LE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** A message with its descriptors. */
function receive(fd) {
  const [head, vector, data, control] = [pinned(), pinned(), pinned(65536), pinned()];
  vector.writeBigUInt64LE(address(data), 0);
  vector.writeBigUInt64LE(65536n, 8);
  [0n, 0n, address(vector), 1n, address(control), 256n].forEach((word, i) => head.writeBigUInt64LE(word, 8 * i));
  const count = Number(c.recvmsg(fd, head, 0));
  const length = Number(control.readBigUInt64LE(0));
  const fds = length < 16 ? [] : Array.from({ length: (length - 16) / 4 }, (_, i) => control.readInt32LE(16 + 4 * i));
  return { text: data.toString('latin1', 4, Math.max(count, 4)), fds };
}

const keeper = sockets.find((fd) => madeBy(fd) === 1);
const boot = sockets.find((fd) => madeBy(fd) === 0);
const initialised = Buffer.alloc(16);
initialised.writeUInt32LE(7, 0);
fs.writeSync(keeper, initialised);
fs.writeSync(boot, frame(0x10, 0, Buffer.from(JSON.stringify({ initMs: 1, streaming: false, blockers: [] }))));

let order = receive(keeper);
while (!order.text.includes('"fork"')) order = receive(keeper);
const [channel, events, ...more] = order.fds;
const [users, mounts] = more.slice(-2);
/** The ways into its control groups, opened by the host. */
const doors = more.slice(0, -2);
const id = JSON.parse(order.text.slice(0, order.text.indexOf('}') + 1)).id;
const entered = { user: c.setns(users, 0), mounts: c.setns(mounts, 0) };
const rights = /^CapEff:\s+(\S+)/m.exec(fs.readFileSync('/proc/self/status', 'latin1'))[1];
const write = (path, text = '1') => [`write ${path}`, attempt(() => fs.writeFileSync(path, text))];
const read = (path) => [`read ${path}`, attempt(() => fs.readFileSync(path).length)];
const tried = {
  ...Object.fromEntries(Object.entries(numbers.denied).map(([name, number]) => [name, call(number, 0, 0, 0, 0, 0)])),
  namespaces: call(numbers.clone, 0x10000000 | 0x20000 | 17),
  device: call(numbers.mknodat, -100, string('/tmp/disk'), 0o060666, 254 << 8),
  root: call(numbers.setuid, 0),
  reserved: call(numbers.setpriority, 0, 0, -20),
  limit: call(numbers.prlimit, 1, 7, 0, 0),
  ...Object.fromEntries([
    ...['hostname', 'core_pattern', 'modprobe', 'shmmax', 'pid_max', 'randomize_va_space'].map((name) => write(`/proc/sys/kernel/${name}`)),
    ...['vm/drop_caches', 'vm/overcommit_memory', 'net/ipv4/ip_forward', 'fs/file-max'].map((name) => write(`/proc/sys/${name}`)),
    ...['/proc/sysrq-trigger', '/var/task/index.mjs', '/usr/new', '/etc/passwd', '/new', '/dev/new'].map((path) => write(path)),
    ...['/proc/1/environ', '/proc/1/mem', '/proc/kcore', '/proc/1/maps'].map(read),
    ...doors.flatMap((fd) => ['w', 'r+'].map((flags) => [`door ${flags}`, attempt(() => fs.openSync(`/proc/self/fd/${fd}`, flags))])),
    ...doors.map((fd) => [`beside door ${fd}`, attempt(() => fs.readdirSync(`/proc/self/fd/${fd}/..`))]),
    ['chown', attempt(() => (fs.writeFileSync('/tmp/own', ''), fs.chownSync('/tmp/own', 0, 0)))],
    ['host', attempt(() => fs.readdirSync('/.packages').concat(fs.readdirSync('/.old'))[0].length)],
    ['keeper', attempt(() => fs.readdirSync('/proc/1/root').length)],
  ]),
};

// The keeper expects a word from each instance; this one has none to send, as it is the template. The invocation waits in its pipe.
const packet = Buffer.alloc(65536);
const count = fs.readSync(events, packet);
const answer = { id, doors: doors.length, entered, rights, tried };
if (count > 9)
  fs.writeSync(channel, frame(0x20, packet.readUInt32LE(5), Buffer.concat([Buffer.alloc(4), Buffer.from(JSON.stringify(answer))])));
Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60_000);
export const handler = async () => 'never';
