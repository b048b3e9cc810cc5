import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseWasmGrants } from './wasm-grants.ts';

const NOTHING = { clock: false, random: false, keep: false, directories: [] };

test('without a tag, and with none, a module is given nothing', () => {
  assert.deepEqual([parseWasmGrants(undefined), parseWasmGrants('none')], [NOTHING, NOTHING]);
});

test('words give clocks, random numbers, state and directories', () => {
  assert.deepEqual(parseWasmGrants('random  clock keep dir:/tmp read:/var/task/data=/data dir:/tmp/a=/'), {
    clock: true,
    random: true,
    keep: true,
    directories: [
      { host: '/tmp', guest: '/tmp', writable: true },
      { host: '/var/task/data', guest: '/data', writable: false },
      { host: '/tmp/a', guest: '/', writable: true },
    ],
  });
});

test('what is no grant is refused, with what to write', () => {
  const refused: readonly (readonly [string, RegExp])[] = [
    ['', /is empty/],
    ['none clock', /stands alone/],
    ['clocks', /'clocks', which is no grant/],
    ['dir:tmp', /no grant/],
    ['dir:/etc', /can be given \/tmp, \/var\/task, \/opt/],
    ['dir:/tmpx', /can be given/],
    ['dir:/tmp/../etc', /no path without detours/],
    ['dir:/tmp/', /no path without detours/],
    ['dir:/var/task', /Write read:\/var\/task/],
    ['dir:/tmp read:/tmp', /name of another one already/],
    [Array.from({ length: 17 }, (_, i) => `dir:/tmp/${i}`).join(' '), /names 17 directories; 16 is the most/],
  ];
  for (const [text, message] of refused) assert.throws(() => parseWasmGrants(text), { code: 'InvalidParameterValueException', message });
});
