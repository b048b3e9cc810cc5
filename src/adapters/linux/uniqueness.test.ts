import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openTemplates, skip, valueOf } from './templates.testing.ts';

/** `HEARTH_FORKS=10000` for the whole proof. */
const FORKS = Number(process.env['HEARTH_FORKS'] ?? 1_000);

/** Of each source one value, drawn in init too, so that every cache and generator has a state that a fork copies. */
const DRAW = `
  import crypto, { randomBytes, randomFillSync, randomInt, randomUUID, generateKeyPairSync, generateKeySync, generatePrimeSync } from 'node:crypto';
  import { mkdtempSync } from 'node:fs';
  import { tmpdir } from 'node:os';
  import { join } from 'node:path';
  const hex = (bytes) => Buffer.from(bytes).toString('hex');
  const draw = () => ({
    mathRandom: Math.random(),
    randomUUID: randomUUID(),
    uncachedUUID: randomUUID({ disableEntropyCache: true }),
    webUUID: globalThis.crypto.randomUUID(),
    randomInt: randomInt(2 ** 47),
    randomBytes: hex(randomBytes(16)),
    randomFill: hex(randomFillSync(new Uint8Array(16))),
    getRandomValues: hex(globalThis.crypto.getRandomValues(new Uint8Array(16))),
    generateKey: hex(generateKeySync('aes', { length: 128 }).export()),
    keyPair: generateKeyPairSync('x25519').publicKey.export({ format: 'jwk' }).x,
    prime: String(generatePrimeSync(64, { bigint: true })),
    timeOrigin: performance.timeOrigin,
    temporary: mkdtempSync(join(tmpdir(), 'x-')),
  });
  const initial = draw();
  const again = Math.random;
  export const handler = async () => ({ ...draw(), held: again(), pid: process.pid, initial });`;

type Drawn = Readonly<Record<string, string | number>> & { readonly initial: unknown };

test(`what ${FORKS} forks draw is different in every one of them`, { skip, timeout: 600_000 }, async (t) => {
  const { boot } = await openTemplates(t);
  const template = await boot(DRAW);
  const seen = new Map<string, Set<string | number>>();
  let before: unknown;
  let left = FORKS;
  const work = async () => {
    while (left-- > 0) {
      const instance = template.fork();
      assert.equal(instance.start, 'fork');
      const { initial, timeOrigin, ...drawn } = (await valueOf(instance)) as Drawn;
      instance.kill();
      await instance.closed;
      assert.deepEqual(initial, (before ??= initial));
      // Its own beginning; two that begin within the same quarter of a microsecond have the same one.
      assert.ok(timeOrigin! > (initial as Drawn)['timeOrigin']!);
      for (const [name, value] of Object.entries(drawn)) {
        let values = seen.get(name);
        if (!values) seen.set(name, (values = new Set([(initial as Drawn)[name] ?? 'none'])));
        values.add(value);
      }
    }
  };
  await Promise.all(Array.from({ length: 4 }, work));
  template.close();
  const fewer = [...seen].map(([name, values]) => [name, FORKS + 1 - values.size] as const).filter(([, missing]) => missing !== 0);
  t.diagnostic(`${seen.size} sources, ${FORKS} forks`);
  assert.deepEqual(fewer, []);
});

test('an instance counts its time from its own beginning, and its measures agree with that', { skip }, async (t) => {
  const { boot } = await openTemplates(t);
  const template = await boot(`
    const origin = performance.timeOrigin;
    await new Promise((resolve) => setTimeout(resolve, 300));
    export const handler = async () => {
      performance.mark('a');
      const from = performance.now();
      const { duration } = performance.measure('b', { start: from });
      const second = performance.measure('c', 'a');
      const whole = performance.measure('d');
      const until = performance.now();
      const within = [duration, second.duration, whole.duration].every((ms) => ms >= 0 && ms <= until);
      const earlier = Date.now();
      const told = performance.timeOrigin + performance.now();
      const agrees = told > earlier - 20 && told < Date.now() + 20;
      return { later: performance.timeOrigin - origin > 299, within, ordered: second.startTime <= from && duration <= until - from, agrees };
    };`);
  assert.deepEqual(await valueOf(template.fork()), { later: true, within: true, ordered: true, agrees: true });
  template.close();
});

test('worker threads of siblings draw differently', { skip }, async (t) => {
  const { boot } = await openTemplates(t);
  const template = await boot(
    `
    import { once } from 'node:events';
    import { Worker } from 'node:worker_threads';
    const code = 'const { parentPort } = require("node:worker_threads"); parentPort.postMessage([Math.random(), crypto.randomUUID(), require("node:crypto").randomInt(2 ** 47)])';
    export const handler = async () => (await once(new Worker(code, { eval: true }), 'message'))[0];`,
    { memoryMiB: 256 },
  );
  const drawn = (await Promise.all([valueOf(template.fork()), valueOf(template.fork())])) as unknown[][];
  assert.equal(new Set(drawn.flat()).size, 6);
  template.close();
});

test('siblings resume no session of a connection that init made', { skip }, async (t) => {
  const { boot } = await openTemplates(t);
  const template = await boot(`
    import https from 'node:https';
    https.globalAgent._cacheSession('host', Buffer.from('secret'));
    export const handler = async () => https.globalAgent._getSession('host') === undefined;`);
  assert.equal(await valueOf(template.fork()), true);
  template.close();
});
