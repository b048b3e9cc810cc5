import assert from 'node:assert/strict';
import { BlockList, isIPv4, isIPv6 } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { addressKind, addressText, parseAddress, sameAddress } from './address.ts';
import type { AddressKind } from './address.ts';

const TABLE: readonly (readonly [AddressKind, readonly string[]])[] = [
  ['public', ['8.8.8.8', '1.1.1.1', '100.63.255.255', '100.128.0.0', '172.15.255.255', '172.32.0.0', '192.0.1.0', '223.255.255.255']],
  ['public', ['2606:4700::1111', '2620:4f:8000::1', '::ffff:8.8.8.8', '64:ff9b::808:808', '[2a00::1]', '2001:200::1']],
  ['unspecified', ['0.0.0.0', '0', '0x0', '0.1.2.3', '::', '::ffff:0.0.0.0']],
  ['loopback', ['127.0.0.1', '127.1', '2130706433', '0x7f000001', '0177.0.0.1', '0x7f.1', '127.255.255.254', '017700000001']],
  ['loopback', ['::1', '0:0:0:0:0:0:0:1', '[::1]', '::ffff:127.0.0.1', '::ffff:7f00:1', '64:ff9b::127.0.0.1', '0000::0001%lo']],
  ['private', ['10.0.0.1', '10.255.255.255', '172.16.0.1', '172.31.255.255', '192.168.0.1', '0xa.1', '012.0.0.1', '::ffff:10.0.0.1']],
  ['private', ['fc00::1', 'fd12:3456::1', 'fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff']],
  ['shared', ['100.64.0.0', '100.127.255.255', '100.100.100.200']],
  ['linkLocal', ['169.254.0.1', '169.254.170.2', 'fe80::1', 'fe80::1%eth0', 'febf::1']],
  ['metadata', ['169.254.169.254', '0xa9fea9fe', '2852039166', '::ffff:169.254.169.254', '64:ff9b::a9fe:a9fe']],
  ['metadata', ['fd00:ec2::254', 'fd20:ce::254', '168.63.129.16']],
  ['documentation', ['192.0.2.1', '198.51.100.7', '203.0.113.255', '2001:db8::1', '3fff::1']],
  ['benchmarking', ['198.18.0.1', '198.19.255.255', '2001:2::1']],
  ['multicast', ['224.0.0.1', '239.255.255.255', 'ff02::1']],
  ['broadcast', ['255.255.255.255', '0xffffffff', '4294967295']],
  ['transition', ['192.88.99.1', '2002:7f00:1::1', '2002:808:808::1', '2001::1']],
  [
    'reserved',
    ['192.0.0.192', '240.0.0.1', '::127.0.0.1', '::8.8.8.8', '64:ff9b:1::808:808', '2001:10::1', '100::1', '5f00::1', '4000::1', 'fec0::1'],
  ],
];

test('every range is told apart, in every notation', () => {
  for (const [kind, texts] of TABLE) {
    for (const text of texts) {
      const address = parseAddress(text);
      assert.ok(address, text);
      assert.equal(addressKind(address), kind, text);
    }
  }
});

test('what no resolver takes for an address is none', () => {
  const others = [
    '',
    'localhost',
    'a.b.c.d',
    '1.2.3.4.5',
    '256.1.1.1',
    '1.2.3.256',
    '1.2.65536',
    '4294967296',
    '08.1.1.1',
    '0x',
    '0xg',
    '1..2',
    '.1',
    '1.',
  ];
  const sixes = [
    ':',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '12345::',
    'g::',
    '::1.2.3',
    '::256.1.1.1',
    '1.2.3.4::',
    '::1%',
    '1:2:3:4:5:6:7::8',
  ];
  for (const text of [...others, ...sixes]) assert.equal(parseAddress(text), undefined, text);
});

test('an IPv4 address is the same in all its forms', () => {
  const any = fc.tuple(...([0, 1, 2, 3] as const).map(() => fc.nat(255)));
  fc.assert(
    fc.property(any, ([a, b, c, d]) => {
      const expected = parseAddress(`${a}.${b}.${c}.${d}`)!;
      const number = ((a! * 256 + b!) * 256 + c!) * 256 + d!;
      const hex = (n: number) => `0x${n.toString(16)}`;
      const octal = (n: number) => `0${n.toString(8)}`;
      const forms = [
        String(number),
        hex(number),
        octal(number),
        [a, b, c, d].map((n) => hex(n!)).join('.'),
        [a, b, c, d].map((n) => octal(n!)).join('.'),
      ];
      for (const form of [...forms, `${a}.${number % 2 ** 24}`, `${a}.${b}.${c! * 256 + d!}`])
        assert.deepEqual(parseAddress(form), expected, form);
      const mapped = parseAddress(`::ffff:${a}.${b}.${c}.${d}`)!;
      assert.equal(addressKind(mapped), addressKind(expected));
      assert.ok(sameAddress(mapped, expected));
    }),
  );
});

test('an address that is written is read again as the same, and node agrees that it is one', () => {
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
      const address = parseAddress(text)!;
      assert.ok(address, text);
      const written = addressText(address);
      assert.ok(address.family === 4 ? isIPv4(written) : isIPv6(written), written);
      assert.deepEqual(parseAddress(written), address);
    }),
  );
});

test('a list of the ranges that one must not reach, kept by node, finds none of what is public here', () => {
  const list = new BlockList();
  const fours = [
    '0.0.0.0/8',
    '10.0.0.0/8',
    '100.64.0.0/10',
    '127.0.0.0/8',
    '169.254.0.0/16',
    '172.16.0.0/12',
    '192.168.0.0/16',
    '224.0.0.0/3',
  ];
  const sixes = ['::/96', 'fc00::/7', 'fe80::/10', 'ff00::/8', '2001::/23', '2001:db8::/32', '2002::/16'];
  for (const [texts, family] of [
    [fours, 'ipv4'],
    [sixes, 'ipv6'],
  ] as const)
    for (const text of texts) list.addSubnet(text.split('/')[0]!, Number(text.split('/')[1]), family);
  // Half of them near an edge of a range.
  const edges = [...fours, ...sixes].map((text) => parseAddress(text.split('/')[0]!)!);
  const near = fc.tuple(fc.constantFrom(...edges), fc.integer({ min: -3, max: 3 })).map(([{ family, value }, by]) => {
    const size = 1n << BigInt(family === 4 ? 32 : 128);
    return addressText({ family, value: (value + BigInt(by) + size) % size });
  });
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6(), near), (text) => {
      const address = parseAddress(text)!;
      if (addressKind(address) === 'public')
        assert.equal(list.check(addressText(address), address.family === 4 ? 'ipv4' : 'ipv6'), false, text);
    }),
    { numRuns: 2_000 },
  );
});
