import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openTemplates, skip, valueOf } from './templates.testing.ts';

type Found = readonly (readonly [kind: string, detail: RegExp, place: string | undefined])[];

/** What init does in its second line, and what of it a fork would not have. */
const BLOCKING: Readonly<Record<string, readonly [code: string, found: Found]>> = {
  'an interval': ['  setInterval(() => {}, 60_000);', [['timer', /^every 60000 ms$/, 'index.mjs:2:3']]],
  'a timeout, in a function': [
    'function clean() { setTimeout(() => {}, 600_000); }\nclean();',
    [['timer', /^after 600000 ms$/, 'index.mjs:2:20']],
  ],
  'a server': [
    `const { createServer } = await import('node:net');\nglobalThis.server = createServer(); await new Promise((go) => server.listen(0, '127.0.0.1', go));`,
    [['socket', /^TCP, listens on 127\.0\.0\.1:\d+$/, 'index.mjs:3:70']],
  ],
  'a server that does not keep the process going': [
    `const { createServer } = await import('node:net');\nglobalThis.server = createServer().unref(); await new Promise((go) => server.listen(0, go));`,
    [['socket', /^TCP, listens on :::\d+$/, 'index.mjs:3:78']],
  ],
  'connections that an agent keeps': [
    `const http = await import('node:http');
     const server = http.createServer((_, answer) => answer.end()).listen(0, '127.0.0.1'); await new Promise((go) => server.on('listening', go));
     globalThis.agent = new http.Agent({ keepAlive: true });
     await new Promise((go) => http.get({ agent, port: server.address().port }, (answer) => answer.resume().on('end', go)));
     server.unref();`,
    [
      ['socket', /^TCP, listens/, 'index.mjs:3:68'],
      ['socket', /^TCP to/, 'index.mjs:5:37'],
      ['socket', /^TCP to/, 'index.mjs:3:68'],
    ],
  ],
  'a datagram socket': [
    `const { createSocket } = await import('node:dgram');\nglobalThis.socket = createSocket('udp4').bind(0); await new Promise((go) => socket.on('listening', go));`,
    [['socket', /^UDP on 0\.0\.0\.0:\d+$/, 'index.mjs:3:21']],
  ],
  'a child process, and its pipes': [
    `const { spawn } = await import('node:child_process');\nspawn('sleep', ['1000']);`,
    [['child process', /^sleep \(pid \d+\)$/, 'index.mjs:3:1']],
  ],
  'a worker thread': [
    `const { Worker } = await import('node:worker_threads');\nnew Worker('setInterval(() => {}, 1000)', { eval: true });`,
    [['worker thread', /^WorkerThread$/, 'index.mjs:3:1']],
  ],
  'a watched directory': [
    `const fs = await import('node:fs');\nfs.watch('/tmp', () => {});`,
    [['file watcher', /^fs\.watch$/, 'index.mjs:3:4']],
  ],
  'a watched directory, unreferenced': [
    `const fs = await import('node:fs');\nfs.watch('/tmp', () => {}).unref();`,
    [['file watcher', /^fs\.watch$/, 'index.mjs:3:4']],
  ],
  'a watched file': [
    `const fs = await import('node:fs');\nfs.watchFile('/tmp/none', () => {});`,
    [['file watcher', /^fs\.watchFile$/, 'index.mjs:3:4']],
  ],
  'an open file': [
    `const fs = await import('node:fs');\nglobalThis.fd = fs.openSync('/etc/passwd');`,
    [['descriptor', /^\d+: \/etc\/passwd$/, 'index.mjs:3:20']],
  ],
  'an open file, by a promise': [
    `const fs = await import('node:fs/promises');\nglobalThis.file = await fs.open('/etc/passwd');`,
    [['descriptor', /^\d+: \/etc\/passwd$/, 'index.mjs:3:28']],
  ],
  'a file that is being read': [
    `const fs = await import('node:fs');\nglobalThis.stream = fs.createReadStream('/dev/zero'); await new Promise((go) => stream.once('readable', go));`,
    [['descriptor', /^\d+: \/dev\/zero$/, 'index.mjs:3:24']],
  ],
  'a database file, opened by native code': [
    `const { DatabaseSync } = await import('node:sqlite');\nglobalThis.database = new DatabaseSync('/tmp/x.db');`,
    [['descriptor', /^\d+: \/tmp\/x\.db$/, undefined]],
  ],
  'work of the thread pool that takes long': [
    `const { pbkdf2 } = await import('node:crypto');\npbkdf2('a', 'b', 2 ** 28, 64, 'sha512', () => {});`,
    [['operation', /^work that has not come to its end$/, undefined]],
  ],
  'a timer that a package made': [
    `const pack = await import('pack');\npack.start();`,
    [['timer', /^every 1000 ms$/, 'index.mjs:3:6 (by @some/pack)']],
  ],
  'a timer that a package made while it was loaded': [
    `setImmediate(() => {}); await import('lonely');`,
    [['timer', /^every 1000 ms$/, 'index.mjs:2:25 (by lonely)']],
  ],
};

const PACKAGES = {
  'node_modules/pack/package.json': '{"exports":"./index.mjs"}',
  'node_modules/pack/index.mjs': `export { start } from '@some/pack';`,
  'node_modules/@some/pack/package.json': '{"exports":"./index.mjs"}',
  'node_modules/@some/pack/index.mjs': `export const start = () => setInterval(() => {}, 1000);`,
  'node_modules/lonely/package.json': '{"exports":"./index.mjs"}',
  'node_modules/lonely/index.mjs': `setInterval(() => {}, 1000);`,
};

test('what init has left open that a fork would not have is named, with its place in the source', { skip }, async (t) => {
  const { boot } = await openTemplates(t);
  const found: unknown[] = [];
  for (const [name, [code, expected]] of Object.entries(BLOCKING)) {
    const template = await boot(`export const handler = async () => 1;\n${code}`, {}, PACKAGES);
    const fits = template.blockers.map(({ kind, detail, place }, i) => [
      kind,
      expected[i]?.[1].test(detail) ? expected[i][1] : detail,
      place,
    ]);
    found.push([name, fits]);
    template.close();
  }
  assert.deepEqual(
    found,
    Object.entries(BLOCKING).map(([name, [, expected]]) => [name, expected]),
  );
});

test('a place is one of the source that a source map names', { skip }, async (t) => {
  const { boot } = await openTemplates(t);
  const map = JSON.stringify({ version: 3, sources: ['src/clean.ts'], names: [], mappings: 'AAUI' });
  const inline = `//# sourceMappingURL=data:application/json;base64,${Buffer.from(map).toString('base64')}`;
  const template = await boot(`setInterval(() => {}, 1000); export const handler = async () => 1;\n${inline}\n`);
  assert.equal(template.blockers[0]?.place, 'src/clean.ts:11:5');
  template.close();
});

const WAIT = `const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));`;

/** What init does, what an instance does with it, and what that answers. */
const SURVIVING: Readonly<Record<string, readonly [init: string, handler: string, answer: unknown]>> = {
  'an unreferenced interval goes on': [`let n = 0; setInterval(() => n++, 5).unref();`, `while (n < 3) await wait(5); return true;`, true],
  'an unreferenced timeout fires': [`let n = 0; setTimeout(() => n++, 50).unref();`, `while (n < 1) await wait(5); return n;`, 1],
  'a timeout of an abort signal': [`const signal = AbortSignal.timeout(50);`, `while (!signal.aborted) await wait(5); return true;`, true],
  'a message channel': [
    `const { port1, port2 } = new MessageChannel(); let got; port1.onmessage = ({ data }) => (got = data);`,
    `port2.postMessage('x'); while (!got) await wait(1); return got;`,
    'x',
  ],
  'a broadcast channel': [
    `const [a, b] = [new BroadcastChannel('x'), new BroadcastChannel('x')]; let got; a.onmessage = ({ data }) => (got = data);`,
    `b.postMessage('x'); while (!got) await wait(1); return got;`,
    'x',
  ],
  'a signal handler': [
    `let n = 0; process.on('SIGUSR2', () => n++);`,
    `process.kill(process.pid, 'SIGUSR2'); while (n < 1) await wait(1); return n;`,
    1,
  ],
  'the thread pool, once used': [
    `import { gunzipSync, gzip } from 'node:zlib'; import { promisify } from 'node:util'; await promisify(gzip)('x');`,
    `return gunzipSync(await promisify(gzip)('y')).toString();`,
    'y',
  ],
  'a server that was closed': [
    `import { createServer } from 'node:net'; const server = createServer(); await new Promise((go) => server.listen(0, go)); await new Promise((go) => server.close(go));`,
    `await new Promise((go) => server.listen(0, go)); await new Promise((go) => server.close(go)); return true;`,
    true,
  ],
  'a child process that has ended': [
    `import { execFile } from 'node:child_process'; const run = () => new Promise((go) => execFile('/bin/echo', ['hi'], (_, text) => go(text))); await run();`,
    `return run();`,
    'hi\n',
  ],
  'work that init did not wait for': [
    `import fs from 'node:fs'; let n = 0; fs.readFile('/etc/passwd', () => n++); fs.promises.readFile('/etc/passwd').then(() => n++);`,
    `while (n < 2) await wait(1); return n;`,
    2,
  ],
  'a histogram of the event loop': [
    `import { monitorEventLoopDelay } from 'node:perf_hooks'; const histogram = monitorEventLoopDelay({ resolution: 1 }); histogram.enable();`,
    `histogram.reset(); while (histogram.count < 1) await wait(5); return true;`,
    true,
  ],
};

test("what a fork takes along is in nobody's way, and works in every instance", { skip }, async (t) => {
  const { boot } = await openTemplates(t);
  for (const [name, [init, handler, answer]] of Object.entries(SURVIVING)) {
    const template = await boot(`${init}\n${WAIT}\nexport const handler = async () => { ${handler} };`);
    assert.deepEqual(template.blockers, [], name);
    for (const instance of [template.fork(), template.fork()]) {
      assert.equal(instance.start, 'fork');
      assert.deepEqual(await valueOf(instance), answer, name);
      instance.kill();
    }
    template.close();
  }
});

test('whatever user code made of stacks, init goes on and its blockers are named', { skip }, async (t) => {
  const { boot } = await openTemplates(t);
  for (const spoilt of [
    'Error.prepareStackTrace = () => { throw new Error("mine"); };',
    'Object.freeze(Error);',
    'Error.captureStackTrace = null;',
  ]) {
    const template = await boot(`${spoilt}\nsetInterval(() => {}, 1000); export const handler = async () => Error.stackTraceLimit;`);
    assert.deepEqual(
      template.blockers.map(({ kind }) => kind),
      ['timer'],
      spoilt,
    );
    assert.equal(await valueOf(template.fork()), 10);
    template.close();
  }
});
