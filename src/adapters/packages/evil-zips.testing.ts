/** Archives that would do harm if they were unpacked as they ask to be. */
import type { ZipPart } from './zip-bytes.testing.ts';

export const link = (name: string, target: string): ZipPart => ({ name, content: target, mode: 0o120777 });

/** What each has beside an ordinary file; all must be refused. */
export const EVIL: readonly (readonly [string, readonly ZipPart[]])[] = [
  ['a name that climbs', [{ name: '../evil' }]],
  ['a name that climbs in the middle', [{ name: 'a/../../evil' }]],
  ['an absolute name', [{ name: '/etc/evil' }]],
  ['a drive letter', [{ name: 'C:evil' }]],
  ['backslashes', [{ name: '..\\evil' }]],
  ['a zero byte', [{ name: 'a\0b' }]],
  ['an overlong name', [{ name: `${'d/'.repeat(600)}f` }]],
  ['an overlong part', [{ name: 'x'.repeat(256) }]],
  ['a name of nothing', [{ name: '.' }]],
  ['an empty name', [{ name: '' }]],
  ['a file named like a directory', [{ name: 'a/', mode: 0o100644 }]],
  ['a directory with content', [{ name: 'a/', content: 'x', mode: 0o040755 }]],
  [
    'the same name twice',
    [
      { name: 'a', content: '1' },
      { name: './a', content: '2' },
    ],
  ],
  [
    'a file below a file',
    [
      { name: 'a', content: '1' },
      { name: 'a/b', content: '2' },
    ],
  ],
  ['a file written through a link', [link('a', 'b'), { name: 'a/evil', content: '2' }]],
  ['an absolute link', [link('a', '/etc/passwd')]],
  ['a link that leaves', [link('a/b', '../../etc')]],
  ['a link that leaves by way of another link', [link('a/b/s', '../..'), link('t', 'a/b/s/../x')]],
  ['an empty link', [link('a', '')]],
  ['a device', [{ name: 'null', mode: 0o020666 }]],
  ['a pipe', [{ name: 'pipe', mode: 0o010666 }]],
  ['a socket', [{ name: 'socket', mode: 0o140666 }]],
  ['an encrypted entry', [{ name: 'a', content: 'x', flags: 1 }]],
  ['an unknown compression', [{ name: 'a', content: 'x', claims: { method: 12 } }]],
  ['a wrong checksum', [{ name: 'a', content: 'x', claims: { crc: 1 } }]],
  ['more bytes than declared', [{ name: 'a', content: Buffer.alloc(1_000_000), claims: { size: 10 } }]],
  ['fewer bytes than declared', [{ name: 'a', content: 'abc', claims: { size: 10 } }]],
  [
    'overlapping entries',
    [
      { name: 'a', content: 'abc' },
      { name: 'b', content: 'abc', claims: { offset: 0 } },
    ],
  ],
  ['an entry beyond the end', [{ name: 'a', content: 'abc', claims: { offset: 1_000_000 } }]],
];
