/** Judges SigV4 signatures: known key, right scope, in time, not seen before, and of this very request. */
import { createHash } from 'node:crypto';
import { HearthError } from '../../kernel/mod.ts';
import type { Clock } from '../../kernel/mod.ts';
import { readSignature, signature, signaturesEqual, signingKey } from '../../protocol/mod.ts';
import type { ClaimedSignature, WireRequest } from '../../protocol/mod.ts';
import type { AccessKeys } from './access-keys.ts';
import { replayGuard } from './replay.ts';

/** A request whose signature is good as far as can be said without its body. */
export interface Examination {
  readonly accessKeyId: string;
  /** With the body: throws `InvalidSignatureException` unless the signature is of exactly this request. */
  confirm(body: Uint8Array): void;
}

export interface SignatureCheck {
  /**
   * Throws `MissingAuthenticationTokenException`, `IncompleteSignatureException`, `UnrecognizedClientException`,
   * `InvalidSignatureException`. `services`: the names in the credential scope that are right here.
   */
  examine(request: WireRequest, services: readonly string[]): Examination;
}

export type SignatureCheckOptions = {
  readonly keys: AccessKeys;
  readonly clock: Clock;
  readonly region: string;
  readonly replayCapacity?: number;
};

const SKEW_MS = 5 * 60_000;
/** How far ahead of us the clock of whoever presigned may be. */
const PRESIGNED_SKEW_MS = 15 * 60_000;
const READING = new Set(['GET', 'HEAD', 'OPTIONS']);

export function signatureCheck(options: SignatureCheckOptions): SignatureCheck {
  const { keys, clock, region } = options;
  const replays = replayGuard(options.replayCapacity ?? 100_000);
  return {
    examine(request, services) {
      const claimed = read(request);
      const secret = keys.secretOf(claimed.accessKeyId);
      if (secret === undefined)
        throw new HearthError('UnrecognizedClientException', 'The security token included in the request is invalid.');
      checkScope(claimed, services, region);
      checkTime(claimed, clock.now());
      checkSignedHeaders(request, claimed);
      const matches = (payloadHash: string) => isOf(request, claimed, secret, payloadHash);
      // With the hash of the body announced, a wrong signature is found out before any of the body is read.
      const announced = claimed.contentSha256;
      if (announced !== undefined) {
        if (!/^[0-9a-f]{64}$/.test(announced)) checkUnsignedPayload(claimed, announced);
        if (!matches(announced)) throw mismatch();
      }
      return {
        accessKeyId: claimed.accessKeyId,
        confirm(body) {
          if (announced === undefined || announced !== 'UNSIGNED-PAYLOAD') {
            const actual = createHash('sha256').update(body).digest('hex');
            if (announced !== undefined && announced !== actual)
              throw new HearthError('InvalidSignatureException', 'The header x-amz-content-sha256 is not the SHA-256 of the body.');
            if (announced === undefined && !matches(actual)) throw mismatch();
          }
          // A presigned URL is made to be used more than once, as long as it is valid.
          if (claimed.form === 'presigned' || READING.has(request.method)) return;
          const nowMs = clock.now();
          if (!replays.accept(claimed.signature, nowMs, claimed.timeMs + SKEW_MS + 1))
            throw new HearthError('InvalidSignatureException', 'This signature was used already; sign the request again to repeat it.');
        },
      };
    },
  };
}

function read(request: WireRequest): ClaimedSignature {
  const reading = readSignature(request);
  switch (reading.kind) {
    case 'none':
      throw new HearthError(
        'MissingAuthenticationTokenException',
        'Missing Authentication Token: sign the request with an access key of this Hearth.',
      );
    case 'unreadable':
      throw new HearthError('IncompleteSignatureException', reading.message);
    case 'read':
      return reading.claimed;
  }
}

function checkScope(claimed: ClaimedSignature, services: readonly string[], region: string): void {
  if (claimed.scopeDate !== claimed.timestamp.slice(0, 8))
    throw new HearthError(
      'InvalidSignatureException',
      'Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP.',
    );
  if (claimed.region !== region)
    throw new HearthError(
      'InvalidSignatureException',
      `Credential should be scoped to a valid region: this Hearth is '${region}', not '${claimed.region}'.`,
    );
  if (!services.includes(claimed.service))
    throw new HearthError(
      'InvalidSignatureException',
      `Credential should be scoped to correct service: '${services.join("' or '")}', not '${claimed.service}'.`,
    );
}

function checkTime(claimed: ClaimedSignature, nowMs: number): void {
  const presigned = claimed.form === 'presigned';
  const aheadMs = claimed.timeMs - nowMs;
  if (aheadMs > (presigned ? PRESIGNED_SKEW_MS : SKEW_MS))
    throw new HearthError(
      'InvalidSignatureException',
      `Signature not yet current: ${claimed.timestamp} is in the future. Check the clock.`,
    );
  if (-aheadMs > (presigned ? (claimed.expiresSeconds ?? 0) * 1000 : SKEW_MS))
    throw new HearthError(
      'InvalidSignatureException',
      `Signature expired: ${claimed.timestamp} is too long ago. Check the clock, and sign again.`,
    );
}

/** Whatever is not signed can be changed on the way. Some headers decide what a request means: those must be. */
function checkSignedHeaders(request: WireRequest, claimed: ClaimedSignature): void {
  const signed = new Set(claimed.signedHeaders);
  if (!signed.has('host')) throw new HearthError('InvalidSignatureException', "'Host' must be a 'SignedHeader' in the signature.");
  for (let i = 0; i < request.rawHeaders.length; i += 2) {
    const name = request.rawHeaders[i]!.toLowerCase();
    // The hash of the body has a line of its own in what is signed; session tokens mean nothing here.
    if (!name.startsWith('x-amz-') || name === 'x-amz-content-sha256' || name === 'x-amz-security-token') continue;
    if (!signed.has(name)) throw new HearthError('InvalidSignatureException', `'${name}' must be a 'SignedHeader' in the signature.`);
  }
}

function checkUnsignedPayload(claimed: ClaimedSignature, announced: string): void {
  if (announced === 'UNSIGNED-PAYLOAD' && claimed.service === 's3') return;
  throw new HearthError('InvalidSignatureException', `x-amz-content-sha256 has to be the SHA-256 of the body here, not '${announced}'.`);
}

function isOf(request: WireRequest, claimed: ClaimedSignature, secret: string, payloadHash: string): boolean {
  const key = signingKey(secret, claimed);
  const input = { ...claimed, payloadHash, normalizePath: claimed.service !== 's3' };
  if (signaturesEqual(signature(request, input, key), claimed.signature)) return true;
  if (claimed.form !== 'presigned' || claimed.sessionToken === undefined) return false;
  // Some services' presigners add the session token after signing.
  return signaturesEqual(signature(request, { ...input, unsignedParameters: ['X-Amz-Security-Token'] }, key), claimed.signature);
}

function mismatch(): HearthError {
  return new HearthError(
    'InvalidSignatureException',
    'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method.',
  );
}
