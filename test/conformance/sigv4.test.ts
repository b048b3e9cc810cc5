import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { canonicalRequest, readSignature, signature, signaturesEqual, signingKey, stringToSign } from '../../src/protocol/mod.ts';
import type { ClaimedSignature, SignatureInput, WireRequest } from '../../src/protocol/mod.ts';

type Vector = Readonly<Record<string, string>> & {
  readonly name: string;
  readonly 'context.json': {
    readonly credentials: { readonly secret_access_key: string };
    readonly normalize: boolean;
    readonly omit_session_token?: boolean;
  };
};

const file = join(import.meta.dirname, '../../../shared/vectors/sigv4.json');
const vectors = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as { cases: Vector[] }).cases : [];

test('the vectors of the signing suite are there', { skip: existsSync(file) ? false : `no ${file}` }, () => {
  assert.equal(vectors.length, 38);
});

for (const vector of vectors) {
  test(`a request signed in its headers verifies: ${vector.name}`, () => {
    const { request, body } = parse(vector['header-signed-request.txt']!);
    const claimed = read(request);
    const input = inputOf(claimed, vector, body, false);
    assert.equal(latin1(canonicalRequest(request, input)), vector['header-canonical-request.txt']);
    assert.equal(stringToSign(request, input), vector['header-string-to-sign.txt']);
    assert.ok(signaturesEqual(signature(request, input, keyOf(vector, claimed)), claimed.signature));
    assert.equal(claimed.signature, vector['header-signature.txt']);
  });

  test(`a presigned request verifies: ${vector.name}`, () => {
    const { request, body } = parse(vector['query-signed-request.txt']!);
    const claimed = read(request);
    const input = inputOf(claimed, vector, body, vector['context.json'].omit_session_token === true);
    assert.equal(latin1(canonicalRequest(request, input)), vector['query-canonical-request.txt']);
    assert.equal(stringToSign(request, input), vector['query-string-to-sign.txt']);
    assert.ok(signaturesEqual(signature(request, input, keyOf(vector, claimed)), claimed.signature));
    assert.equal(claimed.expiresSeconds, 3600);
  });

  test(`a changed request does not verify: ${vector.name}`, () => {
    const { request, body } = parse(vector['header-signed-request.txt']!);
    const claimed = read(request);
    const key = keyOf(vector, claimed);
    const input = inputOf(claimed, vector, body, false);
    for (const changed of [
      { ...request, method: 'PUT' },
      { ...request, url: `${request.url}x` },
      { ...request, rawHeaders: request.rawHeaders.map((text) => (text === 'example.amazonaws.com' ? 'example.org' : text)) },
    ]) {
      assert.ok(!signaturesEqual(signature(changed, input, key), claimed.signature));
    }
  });
}

function read(request: WireRequest): ClaimedSignature {
  const reading = readSignature(request);
  assert.equal(reading.kind, 'read');
  return reading.kind === 'read' ? reading.claimed : assert.fail();
}

function inputOf(claimed: ClaimedSignature, vector: Vector, body: string, omitToken: boolean): SignatureInput {
  const payloadHash = claimed.contentSha256 ?? createHash('sha256').update(body, 'latin1').digest('hex');
  return {
    ...claimed,
    payloadHash,
    normalizePath: vector['context.json'].normalize,
    unsignedParameters: omitToken ? ['X-Amz-Security-Token'] : [],
  };
}

function keyOf(vector: Vector, claimed: ClaimedSignature): Buffer {
  return signingKey(vector['context.json'].credentials.secret_access_key, claimed);
}

/** A request as text, the way node:http would give it: a character per byte. */
function parse(text: string): { request: WireRequest; body: string } {
  const wire = Buffer.from(text).toString('latin1');
  const end = wire.indexOf('\n\n');
  const [head, body] = end === -1 ? [wire, ''] : [wire.slice(0, end), wire.slice(end + 2)];
  const [line, ...lines] = head.split('\n');
  const method = line!.slice(0, line!.indexOf(' '));
  const url = line!.slice(method.length + 1, line!.lastIndexOf(' HTTP/'));
  const rawHeaders: string[] = [];
  for (const header of lines) {
    const colon = header.indexOf(':');
    if (/^\s/.test(header)) rawHeaders[rawHeaders.length - 1] += `\n${header}`;
    else if (colon !== -1) rawHeaders.push(header.slice(0, colon), header.slice(colon + 1));
  }
  // The text form of the vectors ends in one newline too many.
  return { request: { method, url, rawHeaders }, body: body === '\n' ? '' : body };
}

function latin1(text: string): string {
  return Buffer.from(text, 'latin1').toString('utf8');
}
