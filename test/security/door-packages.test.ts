/** Deployment packages that lie about themselves, beside those of the list that the package reader's own tests share. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { CreateFunctionCommand } from '@aws-sdk/client-lambda';
import { EVIL, link } from '../../src/adapters/packages/evil-zips.testing.ts';
import { zipBytes } from '../../src/adapters/packages/zip-bytes.testing.ts';
import type { ZipPart } from '../../src/adapters/packages/zip-bytes.testing.ts';
import { footprint } from '../e2e/footprint.ts';
import { eventually, functionOf, startIsolated, startNeighbour } from '../e2e/platform.ts';
import { attacking } from './siege.ts';

const CODE = `import { lstatSync, readdirSync, readFileSync } from 'node:fs';
export const handler = async ({ path }) => path === undefined
  ? Object.fromEntries(readdirSync('/var/task', { recursive: true }).map((name) => [name, lstatSync('/var/task/' + name).mode & 0o7777]))
  : readFileSync('/var/task/' + path, 'latin1');`;
const INDEX: ZipPart = { name: 'index.mjs', content: CODE };
const GOOD = zipBytes([INDEX, { name: 'a/b.txt', content: 'hello '.repeat(50) }]);

/** With each occurrence of `from` in another place than the archive's directory replaced. */
function localName(zip: Buffer, from: string, to: string): Buffer {
  assert.equal(from.length, to.length);
  const changed = Buffer.from(zip);
  changed.write(to, changed.indexOf(from), 'latin1');
  return changed;
}

/** The archive's directory claims for its first entry what zip64 says. */
function zip64Entry(size: bigint): Buffer {
  const zip = zipBytes([{ name: 'index.mjs', content: CODE, claims: { size: 0xffffffff } }]);
  const end = zip.lastIndexOf(Buffer.from('PK\x05\x06', 'latin1'));
  const extra = Buffer.alloc(12);
  extra.writeUInt16LE(1, 0);
  extra.writeUInt16LE(8, 2);
  extra.writeBigUInt64LE(size, 4);
  const central = zip.lastIndexOf(Buffer.from('PK\x01\x02', 'latin1'));
  const directory = Buffer.concat([zip.subarray(central, end), extra]);
  directory.writeUInt16LE(extra.length, 30);
  const tail = Buffer.from(zip.subarray(end));
  tail.writeUInt32LE(directory.length, 12);
  return Buffer.concat([zip.subarray(0, central), directory, tail]);
}

const REFUSED: readonly (readonly [string, () => readonly Buffer[]])[] = [
  ['an archive cut off anywhere', () => Array.from({ length: 12 }, (_, i) => GOOD.subarray(0, Math.floor((GOOD.length * i) / 12)))],
  ['sizes of zip64 that are not true', () => [1n, 1n << 40n, (1n << 64n) - 1n].map(zip64Entry)],
  [
    'more entries than there are, and fewer',
    () => [zipBytes([INDEX], { entries: 60_000 }), zipBytes([INDEX, { name: 'x' }], { entries: 0 })],
  ],
  [
    'an entry within another',
    () => {
      const inner = zipBytes([{ name: 'inner', content: 'x', store: true }]);
      return [
        zipBytes([
          INDEX,
          { name: 'a', content: inner, store: true },
          { name: 'b', content: 'x', store: true, claims: { offset: zipBytes([INDEX]).indexOf('PK\x01\x02') + 31 } },
        ]),
      ];
    },
  ],
  [
    'the same bytes for a thousand entries',
    () => [
      zipBytes([
        INDEX,
        ...Array.from({ length: 1_000 }, (_, i) => ({ name: `f${i}`, content: Buffer.alloc(1_000), claims: { offset: 0 } })),
      ]),
    ],
  ],
  [
    'one entry that inflates to what is allowed for all',
    () => [zipBytes([INDEX, { name: 'zeros', content: Buffer.alloc(1_000_000), claims: { size: 262_144_000 } }])],
  ],
  ['millions of directories', () => [zipBytes([INDEX, ...Array.from({ length: 400 }, (_, i) => ({ name: `${i}/${'a/'.repeat(400)}f` }))])]],
  [
    'links to links that lead out',
    () => [
      zipBytes([INDEX, link('a', 'b'), link('b', 'c'), link('c', '../../../../../etc/passwd')]),
      zipBytes([INDEX, link('d/e/up', '../../..')]),
    ],
  ],
  ['a link in the place of the code', () => [zipBytes([link('index.mjs', '/proc/self/environ')])]],
  [
    'a link and a directory of one name, and what lies below',
    () => [
      zipBytes([INDEX, link('d', '.'), { name: 'd/', mode: 0o040755 }]),
      zipBytes([INDEX, { name: 'd/', mode: 0o040755 }, link('d', '/')]),
    ],
  ],
  [
    'a file and a directory of one name',
    () => [zipBytes([INDEX, { name: 'index.mjs/', mode: 0o040755 }]), zipBytes([{ name: 'index.mjs/x', content: '' }, INDEX])],
  ],
  [
    'block devices, and names that only Windows takes for a way out',
    () => [
      zipBytes([INDEX, { name: 'sda', mode: 0o060666 }]),
      zipBytes([INDEX, { name: 'c:/evil' }]),
      zipBytes([INDEX, { name: '\\\\host\\share\\evil' }]),
    ],
  ],
  [
    'names that climb behind empty parts and dots',
    () => [
      zipBytes([INDEX, { name: './../evil' }]),
      zipBytes([INDEX, { name: 'a//../../evil' }]),
      zipBytes([INDEX, { name: '..' }]),
      zipBytes([INDEX, { name: 'a/..' }]),
    ],
  ],
];

test('packages that lie', { timeout: 300_000 }, async (t) => {
  const isolated = await startIsolated(t);
  if (!isolated) return;
  const { client, platform } = isolated;
  const neighbour = await startNeighbour(isolated);
  const create = (name: string, ZipFile: Buffer) =>
    client.send(new CreateFunctionCommand({ ...functionOf(name, ZipFile), Code: { ZipFile } }));
  const packages = () => footprint(platform).packages;
  const before = packages();
  const outside = ['/evil', '/etc/evil', '/tmp/evil', ...['', 'code', 'run', 'blobs'].map((part) => join(platform.data, part, 'evil'))];
  const attempt = attacking(t, isolated, neighbour, () => assert.deepEqual(outside.filter(existsSync), []));

  for (const [what, zips] of [
    ...REFUSED,
    ['everything else on the list', () => EVIL.map(([, parts]) => zipBytes([INDEX, ...parts]))] as const,
  ]) {
    await attempt(`${what}: refused, and nothing stays`, async () => {
      for (const zip of zips()) await assert.rejects(create('evil', zip), { name: 'InvalidParameterValueException' });
      await eventually(() => assert.deepEqual(packages(), before));
    });
  }

  await attempt('names in front of the data that differ from those in the directory mean nothing', async () => {
    const zip = zipBytes([INDEX, { name: 'harmless', content: 'x' }]);
    await create('names', localName(zip, 'harmless', '../evil\0'));
    assert.deepEqual(Object.keys((await isolated.invoke('names')).value as object).toSorted(), ['harmless', 'index.mjs']);
  });
  await attempt('set-uid, set-gid and sticky bits, and modes that shut others out, are gone', async () => {
    await create(
      'modes',
      zipBytes([
        INDEX,
        { name: 'root', content: 'x', mode: 0o107777 },
        { name: 'shut', content: 'x', mode: 0o100000 },
        { name: 'd/', mode: 0o042777 },
      ]),
    );
    const modes = (await isolated.invoke('modes')).value as Record<string, number>;
    assert.deepEqual([modes['root'], modes['d']], [0o755, 0o755]);
    assert.ok((modes['shut']! & 0o444) === 0o444 && (modes['shut']! & 0o7022) === 0);
  });
  await attempt('names that differ in case, or hold odd characters, are each their own file', async () => {
    const names = ['Case', 'case', 'new\nline', 'quote"\'`$(id)', '-rf', '\u202egnp', 'é', 'e\u0301'];
    await create('odd', zipBytes([INDEX, ...names.map((name) => ({ name, content: name }))]));
    for (const name of names) {
      const { value } = await isolated.invoke('odd', { path: name });
      assert.equal(Buffer.from(value as string, 'latin1').toString(), name);
    }
  });
  await attempt('an archive within a package stays one file', async () => {
    const bomb = zipBytes([{ name: 'zeros', content: Buffer.alloc(20_000_000) }]);
    await create('nested', zipBytes([INDEX, { name: 'bomb.zip', content: bomb, store: true }]));
    assert.equal(((await isolated.invoke('nested', { path: 'bomb.zip' })).value as string).length, bomb.length);
  });
});
