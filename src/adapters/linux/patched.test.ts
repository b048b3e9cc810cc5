import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openTemplates, skip, valueOf } from './templates.testing.ts';

/** Replaces every method of a built-in object by one that throws. */
const SPOIL = `
  const { getOwnPropertyDescriptor, defineProperty } = Object;
  const { ownKeys } = Reflect;
  const walk = (keys, each) => { for (let i = 0; i < keys.length; i++) each(keys[i]); };
  const spoil = (target) => walk(ownKeys(target), (key) => {
    const descriptor = getOwnPropertyDescriptor(target, key);
    if (key === 'constructor' || !descriptor.configurable || typeof descriptor.value !== 'function') return;
    defineProperty(target, key, { ...descriptor, value: () => { throw new Error('spoilt: ' + String(key)); } });
  });`;

const ORDINARY = `Buffer.prototype, Uint8Array.prototype, Reflect.getPrototypeOf(Uint8Array.prototype), DataView.prototype, BigInt, BigInt.prototype,
  Number, Number.prototype, Set, Set.prototype, WeakMap.prototype, Symbol, JSON, Math, Atomics, Reflect, Function.prototype, Promise.prototype,
  Date, Date.prototype, Array, String.prototype, Error, Object.prototype`;

test(
  'what init does to buffers, typed arrays, sets, JSON and the like is its own affair: the function forks and answers',
  { skip },
  async (t) => {
    const { boot } = await openTemplates(t);
    const template = await boot(`${SPOIL}
    export const handler = async ({ n }) => ({ n: n + 1, pid: process.pid });
    walk([${ORDINARY}], spoil);`);
    assert.deepEqual(template.blockers, []);
    const pids = new Set<number>();
    const [first, second] = [template.fork(), template.fork()];
    // The third when others have ended, which the template has seen too.
    for (const fork of [() => first, () => second, () => template.fork()]) {
      const instance = fork();
      for (const n of [1, 2]) {
        const value = (await valueOf(instance, { n })) as { n: number; pid: number };
        assert.equal(value.n, n + 1);
        pids.add(value.pid);
      }
      instance.kill();
      assert.deepEqual(await instance.closed, { kind: 'ended' });
    }
    assert.equal(pids.size, 3);
    template.close();
  },
);

test(
  'where init spoils what tells what it left behind, nothing is shared: every instance boots by itself, and answers',
  { skip },
  async (t) => {
    const { boot } = await openTemplates(t);
    const template = await boot(`${SPOIL}
    export const handler = async ({ n }) => ({ n: n + 1 });
    walk([${ORDINARY}, Map, Map.prototype, RegExp.prototype], spoil);`);
    assert.deepEqual(
      template.blockers.map(({ kind }) => kind),
      ['unknown'],
    );
    for (const instance of [template.fork(), template.fork()]) {
      for (const n of [1, 2]) assert.deepEqual(await valueOf(instance, { n }), { n: n + 1 });
      instance.kill();
      await instance.closed;
    }
    template.close();
  },
);
