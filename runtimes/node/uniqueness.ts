/** What must differ between siblings of a fork. */
import crypto from 'node:crypto';
import * as ffi from 'node:ffi';
import { syncBuiltinESMExports } from 'node:module';
import { check, libc, pinned } from '../ladder/libc.ts';
import { machineMs } from '../ladder/steps.ts';
import { ownTimeOrigin, refreshTimeOrigin } from './time-origin.ts';

/** Node hands out randomUUID and randomInt from caches of random bytes, which last so many calls. */
const UUID_CACHE_CALLS = 128;
const INT_CACHE_CALLS = 1024;

const STATE_BYTES = 16;
const STATE_LENGTH = BigInt(STATE_BYTES);
const bytes = pinned(STATE_BYTES);
const state = new Uint32Array(bytes.buffer.buffer, 0, STATE_BYTES / 4);
const { randomFillSync, randomUUID, randomInt } = crypto;
const { RAND_poll } = ffi.dlopen(null, { RAND_poll: { return: 'i32', arguments: [] } }).functions;
/** What the function's init has drawn from. A cache that nobody has drawn from is filled afresh in every child; emptying one costs time. */
const drawn = { uuids: false, ints: false };

/**
 * Replaces Math.random, whose state in V8 can't be reached, by a generator whose state can: xoshiro128** (Blackman and Vigna,
 * "Scrambled Linear Pseudorandom Number Generators", 2018), 53 bits from two steps. Once, before any user code.
 */
export function ownRandomness(): void {
  ownTimeOrigin();
  seed();
  // OpenSSL looks up its algorithms when it is first asked: each child would do it again, in 80 pages of its own. The cache is left empty.
  for (let i = 0; i < UUID_CACHE_CALLS; i++) randomUUID();
  Math.random = function random() {
    return ((next() >>> 5) * 67108864 + (next() >>> 6)) / 9007199254740992;
  };
  crypto.randomInt = noticing(randomInt, 'ints');
  crypto.randomUUID = noticing(randomUUID, 'uuids');
  const webCrypto = Object.getPrototypeOf(crypto.webcrypto) as { randomUUID: () => string };
  webCrypto.randomUUID = noticing(webCrypto.randomUUID, 'uuids');
  syncBuiltinESMExports();
}

/**
 * In a template, before it has a function: what its init draws is not what another function's does. OpenSSL's generator would see by itself
 * that its pid is another than the zygote's, but a pid of a sandbox can be one of the host, too. From here on the pid that it remembers is
 * the template's, which none of its children has.
 */
export function leaveGenerators(): void {
  refreshTimeOrigin(machineMs());
  seed();
  if (RAND_poll() !== 1) throw new Error('OpenSSL found no new randomness');
  randomFillSync(new Uint8Array(1));
}

/** In a forked child, before user code runs there. OpenSSL's generator reseeds by itself when its pid changes. */
export function refreshRandomness(): void {
  seed();
  if (drawn.uuids) for (let i = 0; i < UUID_CACHE_CALLS; i++) randomUUID();
  if (drawn.ints) for (let i = 0; i < INT_CACHE_CALLS; i++) randomInt(2);
}

/** From the kernel: OpenSSL would first seed its own generator anew, which a child may never need. */
function seed(): void {
  check(libc.getrandom(bytes.address, STATE_LENGTH, 0), 'getrandom');
}

function noticing<T extends (...parameters: never[]) => unknown>(draw: T, what: keyof typeof drawn): T {
  return new Proxy(draw, {
    apply(target, self, parameters) {
      drawn[what] = true;
      return Reflect.apply(target, self, parameters) as unknown;
    },
  });
}

function next(): number {
  const s0 = state[0]!;
  const s1 = state[1]!;
  const s2 = state[2]! ^ s0;
  const s3 = state[3]! ^ s1;
  const product = Math.imul(s1, 5);
  const result = Math.imul((product << 7) | (product >>> 25), 9);
  state[1] = s1 ^ s2;
  state[0] = s0 ^ s3;
  state[2] = s2 ^ (s1 << 9);
  state[3] = (s3 << 11) | (s3 >>> 21);
  return result >>> 0;
}
