import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { HearthError } from '../kernel/mod.ts';
import { functionArn, parseFunctionReference } from './arn.ts';

const REALM = { region: 'eu-central-1', accountId: '123456789012' };
const isCode = (code: string) => (error: unknown) => error instanceof HearthError && error.code === code;

test('every form of a reference leads to the same function and qualifier', () => {
  const name = fc.stringMatching(/^[a-zA-Z0-9-_]{1,64}$/).filter((text) => !/^\d{12}$/.test(text) && text !== 'function' && text !== 'arn');
  const qualifier = fc.option(fc.oneof(fc.constant('$LATEST'), fc.stringMatching(/^[a-zA-Z0-9-_]{1,20}$/)), { nil: undefined });
  fc.assert(
    fc.property(name, qualifier, (n, q) => {
      const expected = q === undefined ? { name: n } : { name: n, qualifier: q };
      const suffix = q === undefined ? '' : `:${q}`;
      for (const text of [functionArn(REALM, n, q), `${REALM.accountId}:function:${n}${suffix}`, `function:${n}${suffix}`])
        assert.deepEqual(parseFunctionReference(text, REALM), expected, text);
      assert.deepEqual(parseFunctionReference(n, REALM, q), expected);
    }),
  );
});

test('functions elsewhere are not found, and contradicting qualifiers are refused', () => {
  const here = functionArn(REALM, 'f', '1');
  assert.throws(() => parseFunctionReference(here.replace('eu-central-1', 'us-east-1'), REALM), isCode('ResourceNotFoundException'));
  assert.throws(() => parseFunctionReference(here.replace('123456789012', '999999999999'), REALM), isCode('ResourceNotFoundException'));
  assert.throws(() => parseFunctionReference(here, REALM, '2'), isCode('InvalidParameterValueException'));
  assert.deepEqual(parseFunctionReference(here, REALM, '1'), { name: 'f', qualifier: '1' });
  for (const text of ['', 'a b', 'arn:aws:s3:::bucket', 'f:1:2', '../f'])
    assert.throws(() => parseFunctionReference(text, REALM), isCode('InvalidParameterValueException'), text);
});
