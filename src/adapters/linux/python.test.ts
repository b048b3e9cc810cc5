/** Functions in Python by the fork ladder: what is theirs alone about it. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { eventually } from '../../../test/e2e/platform.ts';
import { temporaryDirectory } from '../../../test/temporary.ts';
import { findInterpreter } from '../../../runtimes/python/interpreter.ts';
import type { InvocationEnd, SandboxSpec, Template } from '../../ports/mod.ts';
import { invoke, openTemplates, parentsOf, skip as withoutLinux, valueOf } from './templates.testing.ts';

process.env['PATH'] = `/usr/bin:${process.env['PATH']}`;
const found = await findInterpreter('python3.11');
const skip = withoutLinux || (typeof found === 'string' ? found : false);
const runtime = typeof found === 'string' ? 'python3.11' : `python${found.version}`;

async function openPython(t: TestContext) {
  const { boot } = await openTemplates(t);
  return (code: string, more: Partial<SandboxSpec> = {}, files: Readonly<Record<string, string>> = {}): Promise<Template> =>
    boot('', { runtime, ...more }, { 'index.py': code, ...files });
}

test('instances are forks of one init, each with a process, a /tmp and a session of its own', { skip }, async (t) => {
  const boot = await openPython(t);
  const template = await boot(`
import os, time
born = os.getpid(), time.monotonic()
open('/tmp/by-init', 'w').write('init')
served = 0
def handler(event, context):
    global served
    served += 1
    names = sorted(os.listdir('/tmp'))
    open('/tmp/%d' % os.getpid(), 'w').close()
    return {'born': born, 'pid': os.getpid(), 'session': os.getsid(0), 'tmp': names, 'read': open('/tmp/by-init').read(), 'served': served}
`);
  assert.ok(template.forks);
  const values = await Promise.all([template.fork(), template.fork()].map(async (one) => (await valueOf(one)) as Record<string, unknown>));
  const [first, second] = values as [Record<string, unknown>, Record<string, unknown>];
  assert.deepEqual(first['born'], second['born']);
  assert.notEqual(first['pid'], second['pid']);
  for (const each of values) {
    assert.deepEqual([each['tmp'], each['read'], each['served'], each['session']], [['by-init'], 'init', 1, each['pid']]);
  }
});

const BLOCKING: Readonly<Record<string, readonly [code: string, kind: string, detail: RegExp, place: string | undefined]>> = {
  'a connection': ['import socket\na, b = socket.socketpair()\nb.detach()', 'socket', /^a connection to/, 'index.py:2'],
  'a server': ["import socket\ns = socket.create_server(('127.0.0.1', 0))", 'socket', /^a socket at 127\.0\.0\.1:\d+$/, 'index.py:2'],
  'a thread': [
    'import threading, time\ndef run():\n    time.sleep(1000)\nthreading.Thread(target=run, name="worker", daemon=True).start()',
    'thread',
    /^worker$/,
    'index.py:4',
  ],
  'an idle pool of threads': [
    'from concurrent.futures import ThreadPoolExecutor\npool = ThreadPoolExecutor(2)\nlist(pool.map(int, ["1"]))',
    'thread',
    /^ThreadPoolExecutor-0_0$/,
    'index.py:3',
  ],
  'a child process': [
    "import subprocess\nchild = subprocess.Popen(['sleep', '1000'])",
    'child process',
    /^sleep 1000 \(pid \d+\)$/,
    'index.py:2',
  ],
  'a forked child': ['import os, time\nif os.fork() == 0:\n    time.sleep(1000)', 'child process', /\(pid \d+\)$/, 'index.py:2'],
  'an open file': ["kept = open('/tmp/kept', 'w')", 'descriptor', /^\d+: \/tmp\/kept$/, 'index.py:1'],
  'a database': [
    "import sqlite3\ndb = sqlite3.connect('/tmp/db')\ndb.execute('create table t(x)')",
    'descriptor',
    /^\d+: \/tmp\/db$/,
    'index.py:2',
  ],
  'an event loop': ['import asyncio\nloop = asyncio.new_event_loop()', 'event loop', /eventpoll/, undefined],
  'shared memory': ['import mmap\nm = mmap.mmap(-1, 4096)', 'shared memory', /all instances would share/, undefined],
  'an alarm': ['import signal\nsignal.alarm(1000)', 'timer', /setitimer/, undefined],
};

for (const [what, [code, kind, detail, place]] of Object.entries(BLOCKING)) {
  test(`what stands in the way of a fork is named with its place: ${what}`, { skip }, async (t) => {
    const boot = await openPython(t);
    const template = await boot(`${code}\ndef handler(event, context):\n    return 'answered'\n`);
    const blocker = template.blockers.find((one) => one.kind === kind);
    assert.ok(blocker, JSON.stringify(template.blockers));
    assert.match(blocker.detail, detail);
    assert.equal(blocker.place, place);
    assert.equal(template.forks, false);
    // It works as ever, with an init in each instance.
    for (const instance of [template.fork(), template.fork()]) {
      assert.equal(instance.start, 'boot');
      assert.equal(await valueOf(instance), 'answered');
      instance.kill();
    }
  });
}

test(
  "what init has closed, or nobody refers to, is in nobody's way; a place in a package is where it was called from",
  { skip },
  async (t) => {
    const boot = await openPython(t);
    const clean = await boot(`
import socket, subprocess, tempfile, threading, urllib.request, hashlib
s = socket.socket(); s.close()
class Ring: pass
ring = Ring(); ring.me = ring; ring.socket = socket.socket(); del ring
subprocess.run(['true'])
thread = threading.Thread(target=lambda: None); thread.start()
with tempfile.TemporaryFile() as f: f.write(b'x')
def handler(event, context): return 1
`);
    assert.deepEqual([clean.blockers, clean.forks], [[], true]);
    const files = {
      'vendored/__init__.py': 'import socket\ndef connect():\n    return socket.socket()\n',
      'vendored-1.0.dist-info/RECORD': 'vendored/__init__.py,,\nvendored-1.0.dist-info/RECORD,,\n',
    };
    const blocked = await boot('import vendored\n\nkept = vendored.connect()\ndef handler(event, context): return 1\n', {}, files);
    assert.deepEqual(
      blocked.blockers.map(({ kind, place }) => [kind, place]),
      [['socket', 'index.py:3']],
    );
  },
);

test('forked whatever stands in the way: what siblings would share is made harmless', { skip }, async (t) => {
  const boot = await openPython(t);
  const template = await boot(
    `
import os, socket
near, far = socket.socketpair()
server = socket.create_server(('127.0.0.1', 0))
kept = open('/usr/share/zoneinfo/UTC', 'rb') if os.path.exists('/usr/share/zoneinfo/UTC') else open('/etc/passwd', 'rb')
kept.seek(3)
def handler(event, context):
    near.settimeout(1)
    kept.read(1)
    return [near.recv(1).decode(), os.lseek(kept.fileno(), 0, 1) >= 3, os.readlink('/proc/self/fd/%d' % server.fileno())]
`,
    { snapshot: 'always' },
  );
  assert.ok(template.forks);
  const values = (await Promise.all([template.fork(), template.fork()].map((one) => valueOf(one)))) as [string, boolean, string][];
  for (const [received, positioned] of values) assert.deepEqual([received, positioned], ['', true]);
  assert.notEqual(values[0]![2], values[1]![2]);
});

test('siblings draw different numbers, ids and names', { skip }, async (t) => {
  const boot = await openPython(t);
  const template = await boot(`
import os, random, secrets, ssl, tempfile, uuid
random.random(), uuid.uuid4(), secrets.token_hex(), ssl.RAND_bytes(8), tempfile.mktemp()
def handler(event, context):
    return [random.random(), random.getrandbits(64), str(uuid.uuid4()), secrets.token_hex(8), ssl.RAND_bytes(8).hex(), tempfile.mktemp()]
`);
  const drawn = new Set<unknown>();
  const forks = 24;
  for (let i = 0; i < forks; i++) {
    const instance = template.fork();
    const values = (await valueOf(instance)) as unknown[];
    for (const value of values) drawn.add(value);
    instance.kill();
  }
  assert.equal(drawn.size, forks * 6);
});

test(
  "a fork has what a function's modules registered for one, and a fork of an instance's own all that Python does then",
  { skip },
  async (t) => {
    const boot = await openPython(t);
    const template = await boot(`
import logging, os, threading
told = []
os.register_at_fork(before=lambda: told.append('before'), after_in_child=lambda: told.append('child'))
lock = logging.getLogger().handlers[0].lock
def handler(event, context):
    forked = list(told)
    # Held by a thread that a child does not have, as is one of logging's own.
    entered, over = threading.Event(), threading.Event()
    def hold():
        with lock:
            entered.set()
            over.wait()
    thread = threading.Thread(target=hold)
    thread.start()
    entered.wait()
    pid = os.fork()
    if pid == 0:
        os._exit(7 if threading.active_count() == 1 and lock.acquire(timeout=1) else 8)
    over.set()
    thread.join()
    return {'forked': forked, 'alive': threading.active_count(), 'code': os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}
`);
    assert.deepEqual(await valueOf(template.fork()), { forked: ['before', 'child'], alive: 1, code: 7 });
  },
);

test('hooks run in each instance when its first invocation is there', { skip }, async (t) => {
  const boot = await openPython(t);
  const template = await boot(`
import os, socket
from snapshot_restore_py import register_after_restore, register_before_snapshot
class Pool: connection = None
def connect(): Pool.connection = socket.create_server(('127.0.0.1', 0))
connect()
register_before_snapshot(lambda: Pool.connection.close())
register_after_restore(connect)
def handler(event, context):
    return [Pool.connection.getsockname()[1] > 0, os.getpid()]
`);
  assert.deepEqual([template.blockers, template.forks], [[], true]);
  const [first, second] = (await Promise.all([template.fork(), template.fork()].map((one) => valueOf(one)))) as [unknown[], unknown[]];
  assert.deepEqual([first[0], second[0]], [true, true]);
  assert.notEqual(first[1], second[1]);
});

test('an asynchronous application is forked, and each instance has a loop of its own', { skip }, async (t) => {
  const boot = await openPython(t);
  const template = await boot(`
import asyncio, os
async def handler(scope, receive, send):
    if scope['type'] == 'lifespan':
        await receive()
        scope['state']['pid'] = os.getpid()
        return await send({'type': 'lifespan.startup.complete'})
    await asyncio.sleep(0.001)
    await send({'type': 'http.response.start', 'status': 200})
    await send({'type': 'http.response.body', 'body': str(scope['state']['pid'] == os.getpid()).encode()})
`);
  assert.deepEqual([template.blockers, template.forks], [[], true]);
  const event = { version: '2.0', rawPath: '/', headers: {}, requestContext: { http: { method: 'GET' } } };
  for (const instance of [template.fork(), template.fork()])
    assert.equal(((await valueOf(instance, event)) as { body: string }).body, 'True');
});

test('a function is shown its own surroundings, and nothing of those of the zygote', { skip }, async (t) => {
  const boot = await openPython(t);
  const template = await boot(
    `
import __main__, os, subprocess, sys
def handler(event, context):
    own = open('/proc/self/cmdline').read().strip('\\0'), open('/proc/self/comm').read().strip()
    child = subprocess.run([sys.executable, '-c', 'import json; print(json.dumps(1))'], capture_output=True, text=True).stdout
    links = [os.path.realpath('/var/lang/bin/' + name) == os.path.realpath(sys.executable) for name in ('python', 'python3')]
    descriptors = sorted(os.readlink('/proc/self/fd/%s' % fd).split(':')[0] for fd in os.listdir('/proc/self/fd') if os.path.exists('/proc/self/fd/' + fd))
    return {'own': own, 'environment': dict(os.environ), 'argv': sys.argv, 'cwd': os.getcwd(), 'child': child, 'links': links,
            'main': hasattr(__main__, '__file__'), 'descriptors': descriptors, 'path': sys.path[0]}
`,
    { environment: { PATH: '/usr/bin:/bin', ONLY: 'this' } },
  );
  const { descriptors, ...value } = (await valueOf(template.fork())) as { descriptors: string[] };
  assert.deepEqual(value, {
    own: ['function', 'function'],
    environment: { PATH: '/usr/bin:/bin', ONLY: 'this' },
    argv: ['/var/runtime/bootstrap.py', 'index.handler'],
    cwd: '/var/task',
    child: '1\n',
    links: [true, true],
    main: false,
    path: '/var/task',
  });
  // Standard input, the two outputs, the channel and the pipe of events.
  assert.deepEqual(descriptors, ['/dev/null', 'pipe', 'pipe', 'pipe', 'socket']);
});

test('an instance that ends, and a template that is killed, are told of; a zygote that is gone is replaced', { skip }, async (t) => {
  const boot = await openPython(t);
  const code = 'import os, signal\ndef handler(event, context):\n    if event: os.kill(os.getpid(), event)\n    return os.getpid()\n';
  const template = await boot(code);
  const end = await invoke(template.fork(), 11);
  assert.deepEqual(end, { kind: 'died', exit: { kind: 'signalled', signal: 'SIGSEGV' } });
  const pid = (await valueOf(template.fork())) as number;
  const { template: templatePid, keeper } = parentsOf(pid);
  // Its keeper is the parent of what came from elsewhere.
  assert.match(readFileSync(`/proc/${templatePid}/status`, 'latin1'), new RegExp(`^PPid:\\t${keeper}$`, 'm'));
  process.kill(templatePid, 'SIGKILL');
  assert.deepEqual(await template.closed, { kind: 'signalled', signal: 'SIGKILL' });
  for (const zygote of zygotes()) process.kill(zygote, 'SIGKILL');
  const next = await boot(code);
  assert.equal(typeof (await valueOf(next.fork())), 'number');
});

test('events of any size come in the order in which they were sent, and answers of any size go back', { skip }, async (t) => {
  const boot = await openPython(t);
  const template = await boot('import time\ndef handler(event, context):\n    time.sleep(0.001)\n    return event\n');
  const instance = template.fork();
  for (const text of ['x'.repeat(5_000_000), 'ü'.repeat(100_000), 'small']) assert.equal(await valueOf(instance, text), text);
  const head = { id: 'id', deadlineMs: Date.now() + 60_000, arn: 'arn' };
  const heard: string[] = [];
  const answers = Array.from({ length: 12 }, (_, n) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const end = (ended: InvocationEnd) => {
      heard.push(ended.kind === 'answered' ? ended.payload.toString() : ended.kind);
      resolve();
    };
    const listener = { log() {}, streamHead() {}, streamChunk() {}, end };
    if (n === 0) instance.invoke(head, Buffer.from(String(n)), listener);
    else assert.ok(instance.handAhead!(head, Buffer.from(String(n)), listener));
    return promise;
  });
  await answers[3];
  instance.recall!();
  await Promise.all(answers);
  const answered = heard.filter((one) => one !== 'notBegun').map(Number);
  assert.deepEqual(
    answered,
    Array.from({ length: answered.length }, (_, n) => n),
  );
  assert.ok(answered.length >= 4, 'those that had begun were answered');
  assert.equal(await valueOf(instance, 'after'), 'after');
});

test('a function that is trusted with it is on the network of the host', { skip }, async (t) => {
  const boot = await openPython(t);
  const code = 'import socket\ndef handler(event, context):\n    return sorted(name for _, name in socket.if_nameindex())\n';
  const own = (await valueOf((await boot(code)).fork())) as string[];
  assert.deepEqual(own, ['lo']);

  const shared = (await valueOf((await boot(code, { network: { kind: 'host' } })).fork())) as string[];
  for (const name of Object.keys(networkInterfaces())) assert.ok(shared.includes(name), `${name} is among ${shared.join()}`);
});

test(
  'what was compiled of a large function goes to its next template, and what is spoilt or of another source is compiled again',
  { skip },
  async (t) => {
    const boot = await openPython(t);
    const compileCache = join(temporaryDirectory(t), 'compiled');
    const functions = Array.from({ length: 2_000 }, (_, n) => `def f${n}(a, b):\n    return [a + ${n}, b, 'text ${n}']\n`).join('');
    const files = (last: string) => ({ 'inner/__init__.py': functions, 'inner/more.py': `WHO = '${last}'\n` });
    const code = `
import inner, inspect, os
from inner import more
def handler(event, context):
    from inner import more as again
    return [inner.f7(1, 2), more.WHO, inspect.getsource(inner.f7).count('\\n'), os.listdir('/tmp')]
`;
    const expected = (who: string) => [[8, 2, 'text 7'], who, 2, []];
    const first = await boot(code, { compileCache }, files('first'));
    assert.deepEqual(await valueOf(first.fork()), expected('first'));
    await eventually(() => assert.ok(existsSync(compileCache)));
    const stored = readFileSync(compileCache);
    assert.ok(stored.length > 1_000);
    // Not what its source says: it was not compiled.
    const change = `import marshal, sys, zlib
packed = open(sys.argv[1], 'rb').read()
kept = marshal.loads(zlib.decompress(packed[4:]))
kept = {path: (state, code.replace(b'text 7', b'kept 7')) for path, (state, code) in kept.items()}
open(sys.argv[1], 'wb').write(packed[:4] + zlib.compress(marshal.dumps(kept)))`;
    execFileSync(typeof found === 'string' ? 'python3' : found.file, ['-c', change, compileCache]);
    const kept = await boot(code, { compileCache }, files('first'));
    assert.deepEqual(await valueOf(kept.fork()), [[8, 2, 'kept 7'], 'first', 2, []]);
    writeFileSync(compileCache, stored);
    const second = await boot(code, { compileCache }, files('another'));
    assert.deepEqual(await valueOf(second.fork()), expected('another'));
    for (const spoilt of [Buffer.from('nothing'), stored.subarray(0, 500), Buffer.alloc(5_000, 1)]) {
      writeFileSync(compileCache, spoilt);
      assert.deepEqual(await valueOf((await boot(code, { compileCache }, files('again'))).fork()), expected('again'));
    }
  },
);

/** Of this process, as the kernel lists them. */
function zygotes(): number[] {
  return readFileSync(`/proc/self/task/${process.pid}/children`, 'latin1')
    .trim()
    .split(' ')
    .map(Number)
    .filter((pid) => /start\.py\0zygote\0/.test(readFileSync(`/proc/${pid}/cmdline`, 'latin1')));
}
