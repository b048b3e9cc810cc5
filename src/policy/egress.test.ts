import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DEFAULT_NETWORK, parseNetwork } from '../protocol/mod.ts';
import type { Egress } from '../protocol/mod.ts';
import { addressKind, parseAddress } from './address.ts';
import { addressRefusal, permitOf } from './egress.ts';

const egress = (text: string) => parseNetwork(text) as Egress;

/** Undefined: it may be reached at this address. */
function refusal(grant: Egress, host: string, port: number, at = host, own: readonly string[] = []): string | undefined {
  const permit = permitOf(grant, { host, port });
  if (permit.kind === 'refused') return permit.reason;
  return addressRefusal(
    permit,
    parseAddress(at)!,
    own.map((text) => parseAddress(text)!),
  );
}

test('by default public addresses are reached at all ports but that of mail', () => {
  assert.equal(refusal(DEFAULT_NETWORK, 'example.com', 443, '93.184.215.14'), undefined);
  assert.equal(refusal(DEFAULT_NETWORK, 'example.com', 5432, '2606:2800::1'), undefined);
  assert.equal(refusal(DEFAULT_NETWORK, '8.8.8.8', 53), undefined);
  assert.match(refusal(DEFAULT_NETWORK, 'mx.example.com', 25, '93.184.215.14')!, /port 25 is closed.*mx\.example\.com:25/);
  assert.equal(refusal(egress('public mx.example.com:25'), 'mx.example.com', 25, '93.184.215.14'), undefined);
});

test('whatever the name, no other address is reached by default', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.ipV4(), fc.ipV6(), fc.constantFrom('127.0.0.1', '10.0.0.1', '169.254.169.254', '::1', 'fd00:ec2::254')),
      (at) => {
        const isPublic = addressKind(parseAddress(at)!) === 'public';
        for (const host of ['example.com', at]) assert.equal(refusal(DEFAULT_NETWORK, host, 443, at) === undefined, isPublic, at);
      },
    ),
  );
  assert.match(
    refusal(DEFAULT_NETWORK, 'rebound.example.com', 80, '127.0.0.1')!,
    /rebound\.example\.com is at 127\.0\.0\.1, a loopback address/,
  );
});

test("the host's own addresses are refused, public ones too", () => {
  assert.match(refusal(DEFAULT_NETWORK, 'me.example.com', 443, '93.184.215.14', ['10.0.0.1', '93.184.215.14'])!, /the host itself/);
  assert.match(refusal(DEFAULT_NETWORK, '::ffff:93.184.215.14', 443, '::ffff:93.184.215.14', ['93.184.215.14'])!, /the host itself/);
});

test('with a list nothing else is reached', () => {
  const listed = egress('api.example.com .example.org:8443 tcp:db.internal:5432');
  assert.equal(refusal(listed, 'API.example.com.', 443, '93.184.215.14'), undefined);
  assert.equal(refusal(listed, 'api.example.com', 80, '10.1.1.1'), undefined);
  assert.equal(refusal(listed, 'a.b.example.org', 8443, '93.184.215.14'), undefined);
  assert.equal(refusal(listed, 'db.internal', 5432, '192.168.1.4'), undefined);
  const others = [
    'example.com',
    'xapi.example.com',
    'api.example.com.evil.net',
    'example.org',
    'xexample.org',
    '.example.org',
    '93.184.215.14',
  ];
  for (const host of others) assert.match(refusal(listed, host, 8443, '93.184.215.14')!, /is not granted/, host);
  assert.match(refusal(listed, 'api.example.com', 8080, '93.184.215.14')!, /would allow it with api\.example\.com:8080/);
});

test('a granted name leads into private networks, but not to the host or to metadata', () => {
  const listed = egress('db.internal localhost:3000 127.0.0.1:8080');
  assert.equal(refusal(listed, 'db.internal', 443, 'fd12::1'), undefined);
  for (const at of ['127.0.0.1', '169.254.169.254', 'fd00:ec2::254', 'fe80::1', '0.0.0.0', '::ffff:127.0.0.1'])
    assert.match(refusal(listed, 'db.internal', 443, at)!, /that very address/, at);
  assert.equal(refusal(listed, 'localhost', 3000, '127.0.0.1'), undefined);
  assert.equal(refusal(listed, '127.1', 8080, '127.0.0.1'), undefined);
});
