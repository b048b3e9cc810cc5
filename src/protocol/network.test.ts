import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HearthError } from '../kernel/mod.ts';
import { DEFAULT_NETWORK, insideAddress, parseApiGrant, parseNetwork } from './network.ts';

test('without a tag a function reaches what is public', () => {
  assert.deepEqual(parseNetwork(undefined), DEFAULT_NETWORK);
  assert.deepEqual(parseNetwork('public'), DEFAULT_NETWORK);
});

test('none and host stand alone', () => {
  assert.deepEqual(parseNetwork('none'), { kind: 'none' });
  assert.deepEqual(parseNetwork(' host '), { kind: 'host' });
});

test('hosts, hosts below a name, ports and endpoints are told apart', () => {
  assert.deepEqual(parseNetwork('API.example.com  .example.org:8443 10.0.0.5:80 tcp:db.internal:5432 tcp:127.0.0.1:6379'), {
    kind: 'egress',
    public: false,
    hosts: [
      { name: 'api.example.com', below: false },
      { name: 'example.org', below: true, port: 8443 },
      { name: '10.0.0.5', below: false, port: 80 },
    ],
    endpoints: [
      { host: 'db.internal', port: 5432 },
      { host: '127.0.0.1', port: 6379 },
    ],
  });
  assert.deepEqual(parseNetwork('public tcp:db:5432 tcp:DB:5432'), { ...DEFAULT_NETWORK, endpoints: [{ host: 'db', port: 5432 }] });
});

test('what is written wrong is refused, and named', () => {
  const texts: readonly (readonly [string, RegExp])[] = [
    ['', /is empty/],
    ['none api.example.com', /'none' beside/],
    ['host public', /'host' beside/],
    ['tcp:db', /'tcp:db'.*tcp:NAME:PORT/],
    ['tcp:db:0', /0 is no port/],
    ['db:65536', /65536 is no port/],
    ['https://example.com', /'https:\/\/example.com', which is no host/],
    ['*.example.com', /neither a host name/],
    ['example..com', /neither a host name/],
    ['-a.com', /neither a host name/],
    ['2130706433', /neither a host name/],
    ['0x7f.1', /neither a host name/],
    ['127.1:80', /neither a host name/],
    ['010.0.0.1', /neither a host name/],
    ['.10.0.0.1', /below an address/],
    ['tcp:0.0.0.0:80', /no address of a host/],
    ['tcp:255.255.255.255:80', /no address of a host/],
    ['tcp:localhost:4566', /is the platform itself/],
    [Array.from({ length: 17 }, (_, i) => `tcp:d:${i + 1}`).join(' '), /17 TCP endpoints; 16/],
  ];
  for (const [text, expected] of texts) {
    assert.throws(
      () => parseNetwork(text),
      (error: unknown) => error instanceof HearthError && error.code === 'InvalidParameterValueException' && expected.test(error.message),
      text,
    );
  }
});

test('the API is there to invoke, or as a whole', () => {
  assert.deepEqual([parseApiGrant(undefined), parseApiGrant('invoke'), parseApiGrant('control')], ['invoke', 'invoke', 'control']);
  assert.throws(() => parseApiGrant('all'), /Write invoke .* or control/);
});

test('an address stays what it is inside, and a name gets one', () => {
  assert.deepEqual(
    [insideAddress('10.1.2.3'), insideAddress('localhost'), insideAddress('db.internal')],
    ['10.1.2.3', '127.0.0.1', undefined],
  );
});
