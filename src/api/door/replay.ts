/**
 * Remembers signatures until they are too old to be accepted anyway, so that a request that was overheard cannot be sent again.
 *
 * SDKs sign each attempt of a request anew, with its own invocation id and attempt number, so honest retries are never taken for replays;
 * two identical requests signed within one second by a client without such headers are. Bounded: when it is full, the oldest
 * signature is forgotten, which only someone who holds a key can bring about.
 */
export interface ReplayGuard {
  /** False: it was seen before. */
  accept(signature: string, nowMs: number, untilMs: number): boolean;
}

export function replayGuard(capacity: number): ReplayGuard {
  /** Signature -> when it may be forgotten, in the order in which they came. */
  const seen = new Map<string, number>();
  const forget = (nowMs: number) => {
    for (const [signature, untilMs] of seen) {
      if (untilMs > nowMs && seen.size < capacity) return;
      seen.delete(signature);
    }
  };
  return {
    accept(signature, nowMs, untilMs) {
      const known = seen.get(signature);
      if (known !== undefined && known > nowMs) return false;
      forget(nowMs);
      seen.set(signature, untilMs);
      return true;
    },
  };
}
