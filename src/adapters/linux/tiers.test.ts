import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openTemplates, skip, valueOf } from './templates.testing.ts';

/** As WebAssembly text would be `(module (func (export "handler") (result f64) f64.const 7))`. */
const MODULE =
  '[0,97,115,109,1,0,0,0,1,5,1,96,0,1,124,3,2,1,0,7,11,1,7,104,97,110,100,108,101,114,0,0,10,13,1,11,0,68,0,0,0,0,0,0,28,64,11]';

const HANDLERS: Readonly<Record<string, readonly [source: string, answer: unknown]>> = {
  'an arrow function': ['export const handler = async ({ n }) => n + 1;', 3],
  'a function declaration': ['export function handler({ n }, context, callback) { callback(null, n + 1); }', 3],
  'a method': [
    'class Service { one = 1; async handle({ n }) { return n + this.one; } }; const it = new Service(); export const handler = it.handle.bind(it);',
    3,
  ],
  'a static method': ['class Service { static async handler({ n }) { return n + 1; } }; export const { handler } = Service;', 3],
  'a proxy of a function': [
    'export const handler = new Proxy(async ({ n }) => n, { apply: async (f, self, given) => 1 + (await f(...given)) });',
    3,
  ],
  'a function of the language': ['export const handler = Boolean;', true],
  'a function of Node': ['export const handler = process.cwd;', '/var/task'],
  'a function of WebAssembly': [
    `export const { handler } = new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array(${MODULE}))).exports;`,
    7,
  ],
  'a generator': ['export function* handler() { yield 1; }', {}],
  'one that says of itself that it has no source': [
    "export const handler = async ({ n }) => n + 1;\nhandler.toString = () => '[native code] }';",
    3,
  ],
  'one whose source ends like that of none': ['export async function handler({ n }) { return n + 1; /* [native code] */ }', 3],
};

test('whatever kind of function a handler is, its template compiles it and its instances answer', { skip }, async (t) => {
  const { boot } = await openTemplates(t);
  for (const [kind, [source, answer]] of Object.entries(HANDLERS)) {
    const template = await boot(source);
    assert.deepEqual(template.blockers, [], kind);
    for (const instance of [template.fork(), template.fork()]) assert.deepEqual(await valueOf(instance, { n: 2 }), answer, kind);
    template.close();
  }
});
