/** What must differ between siblings of a fork. */
import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';

/** Node hands out randomUUID and randomInt from caches of random bytes, which last so many calls. */
const UUID_CACHE_CALLS = 128;
const INT_CACHE_CALLS = 1024;

const state = new Uint32Array(4);
const { getRandomValues } = crypto.webcrypto;
const fill = getRandomValues.bind(crypto.webcrypto);
const { randomUUID, randomInt } = crypto;
/** Whether the function's init has drawn from randomInt's cache; drawing it empty in every child would cost each of them. */
let intsDrawn = false;

/**
 * Replaces Math.random, whose state in V8 can't be reached, by a generator whose state can: xoshiro128** (Blackman and Vigna,
 * "Scrambled Linear Pseudorandom Number Generators", 2018), 53 bits from two steps. Once, before any user code.
 */
export function ownRandomness(): void {
  fill(state);
  Math.random = function random() {
    return ((next() >>> 5) * 67108864 + (next() >>> 6)) / 9007199254740992;
  };
  crypto.randomInt = new Proxy(randomInt, {
    apply(target, self, parameters) {
      intsDrawn = true;
      return Reflect.apply(target, self, parameters) as unknown;
    },
  });
  syncBuiltinESMExports();
}

/** In a forked child, before user code runs there. OpenSSL's generator reseeds by itself when its pid changes. */
export function refreshRandomness(): void {
  fill(state);
  for (let i = 0; i < UUID_CACHE_CALLS; i++) randomUUID();
  if (intsDrawn) for (let i = 0; i < INT_CACHE_CALLS; i++) randomInt(2);
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
