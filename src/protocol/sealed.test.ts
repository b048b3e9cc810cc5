import assert from 'node:assert/strict';
import { createCipheriv } from 'node:crypto';
import { test } from 'node:test';
import { seededRandom } from '../kernel/mod.ts';
import { createSeal, sealingKeyId } from './sealed.ts';

const random = seededRandom(1);
const [first, second] = [random.bytes(32), random.bytes(32)] as const;

test('what was sealed opens for what it is about, and is never the same text twice', () => {
  const seal = createSeal([first], random);
  const texts = ['', 'secret', 'Grüße \u0000 😀', 'x'.repeat(100_000)];
  for (const text of texts) {
    const sealed = seal.seal(text, 'functions/a/$LATEST');
    assert.equal(seal.open(sealed, 'functions/a/$LATEST'), text);
    assert.notEqual(seal.seal(text, 'functions/a/$LATEST'), sealed);
    assert.ok(text === '' || !sealed.includes(text));
  }
});

test('it does not open elsewhere, with another key, or when a bit of it is another', () => {
  const seal = createSeal([first], random);
  const sealed = seal.seal('secret', 'functions/a/1');
  assert.equal(seal.open(sealed, 'functions/b/1'), undefined);
  assert.equal(createSeal([second], random).open(sealed, 'functions/a/1'), undefined);
  const [version, id, body] = sealed.split('.') as [string, string, string];
  const bytes = Buffer.from(body, 'base64');
  for (let at = 0; at < bytes.length; at++) {
    const changed = Buffer.from(bytes);
    changed[at]! ^= 1;
    assert.equal(seal.open(`${version}.${id}.${changed.toString('base64')}`, 'functions/a/1'), undefined);
  }
  for (const other of ['', '.', '..', '1.', `2.${id}.${body}`, `1.${sealingKeyId(second)}.${body}`, `1.${id}.`, `1.${id}.AAAA`, 'plain'])
    assert.equal(seal.open(other, 'functions/a/1'), undefined, other);
});

test('former keys open what they sealed, and the first one seals', () => {
  const old = createSeal([first], random).seal('secret', 'x');
  const seal = createSeal([second, first], random);
  assert.equal(seal.open(old, 'x'), 'secret');
  assert.equal(seal.isCurrent(old), false);
  const fresh = seal.seal('secret', 'x');
  assert.equal(seal.isCurrent(fresh), true);
  assert.equal(createSeal([second], random).open(fresh, 'x'), 'secret');
  assert.deepEqual(seal.keyIds, [sealingKeyId(second), sealingKeyId(first)]);
});

test('a text from before keys had names opens with whichever key it was sealed with', () => {
  const nonce = random.bytes(12);
  const cipher = createCipheriv('aes-256-gcm', first, nonce).setAAD(Buffer.from('AKIAX'));
  const text = Buffer.concat([cipher.update('secret'), cipher.final()]);
  const sealed = Buffer.concat([nonce, cipher.getAuthTag(), text]).toString('base64');
  const seal = createSeal([second, first], random);
  assert.equal(seal.open(sealed, 'AKIAX'), 'secret');
  assert.equal(seal.open(sealed, 'AKIAY'), undefined);
  assert.equal(seal.isCurrent(sealed), false);
});
