/**
 * What V8 and libuv do on other threads elsewhere. A forked process has no threads of V8, so its work is done on the main thread, or would
 * pile up as tasks that nobody takes: each kind is done many times over, and the instance must not grow.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { openTemplates, skip, valueOf } from '../../src/adapters/linux/templates.testing.ts';
import { familyOf } from '../../tools/soak-holdings.ts';

/** V8's heap has its size by then. */
const WARM_UP = 300;
const ROUNDS = 300;
/** Tasks that are kept make more: what each is to compile is some ten thousand bytes. */
const MOST_MIB = 16;
/** Where there is much garbage V8's heap is now full of it, now empty: of the 128 MiB of the function. */
const MOST_WITH_GARBAGE_MIB = 80;

/** A module with a function that adds up the numbers below its argument: long enough to be compiled again while it runs. */
const WASM = [
  0, 97, 115, 109, 1, 0, 0, 0, 1, 6, 1, 96, 1, 127, 1, 127, 3, 2, 1, 0, 7, 7, 1, 3, 115, 117, 109, 0, 0, 10, 27, 1, 25, 1, 1, 127, 3, 64,
  32, 1, 32, 0, 106, 33, 1, 32, 0, 65, 1, 107, 34, 0, 13, 0, 11, 32, 1, 11,
];

const KINDS: Readonly<Record<string, string>> = {
  'functions that become hot, each compiled by all of V8': `
    const hot = new Function('n', 'let sum = ' + Math.random() + '; for (let i = 0; i < n; i++) sum += (i * 3) % 7; return sum;');
    for (let i = 0; i < 30; i++) hot(2_000);`,
  'WebAssembly, compiled in both ways and run until it is compiled again': `
    const { instance } = await WebAssembly.instantiate(WASM.slice());
    await WebAssembly.compile(WASM.slice());
    instance.exports.sum(100_000);`,
  'timers, set, cleared and left behind': `
    for (let i = 0; i < 200; i++) clearTimeout(setTimeout(() => {}, 1e6));
    for (let i = 0; i < 20; i++) setTimeout(() => {}, 1).unref();
    await new Promise((resolve) => setTimeout(resolve, 1));`,
  'objects whose end is told of': `
    globalThis.told ??= 0;
    globalThis.registry ??= new FinalizationRegistry(() => globalThis.told++);
    for (let i = 0; i < 1_000; i++) globalThis.registry.register(new Array(50).fill(i), i);`,
  'garbage, of both generations and outside of the heap': `
    globalThis.ring ??= [];
    globalThis.ring[round % 8] = Array.from({ length: 8_000 }, (_, i) => ({ i }));
    for (let i = 0; i < 10; i++) Buffer.alloc(100_000, i);`,
  "libuv's threads: files, names and keys": `
    const fs = await import('node:fs/promises');
    const { lookup } = await import('node:dns/promises');
    const { pbkdf2 } = await import('node:crypto');
    await Promise.all([
      ...Array.from({ length: 20 }, () => fs.readFile('/var/task/index.mjs')),
      lookup('localhost'),
      new Promise((resolve, reject) => pbkdf2('a', 'b', 10, 32, 'sha256', (error, key) => (error ? reject(error) : resolve(key)))),
    ]);`,
};

for (const [kind, work] of Object.entries(KINDS)) {
  test(`${kind}: nothing piles up in an instance`, { skip, timeout: 300_000 }, async (t) => {
    const template = await (
      await openTemplates(t)
    ).boot(`
      const WASM = new Uint8Array(${JSON.stringify(WASM)});
      export const handler = async ({ from, to }) => {
        for (let round = from; round < to; round++) { ${work} }
        return globalThis.told ?? 1;
      };`);
    const instance = template.fork();
    const run = async (from: number, to: number) => {
      for (let round = from; round < to; round += 10)
        assert.equal(typeof (await valueOf(instance, { from: round, to: round + 10 })), 'number');
    };
    await run(0, WARM_UP);
    const pid = familyOf(process.pid)['instance']!;
    const before = memoryMiB(pid);
    await run(WARM_UP, WARM_UP + ROUNDS);
    const after = memoryMiB(pid);
    const most = /^(objects|garbage)/.test(kind) ? MOST_WITH_GARBAGE_MIB : MOST_MIB;
    assert.ok(after - before < most, `${before.toFixed(1)} MiB, then ${after.toFixed(1)}`);
    assert.ok(((await valueOf(instance, { from: 0, to: 1 })) as number) > 0, 'tasks of V8 run');
    const LIBUV_THREADS = 4;
    assert.ok(readdirSync(`/proc/${pid}/task`).length <= 1 + LIBUV_THREADS);
  });
}

const memoryMiB = (pid: number): number => Number(/^RssAnon:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))![1]) / 1024;
