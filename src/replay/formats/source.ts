import { HearthError, LIMITS } from '../../kernel/mod.ts';

/** A file of a trace, as whoever reads files hands it over. `open` may be called more than once, for the beginning is looked at first. */
export type TraceSource = { readonly name: string; open(): AsyncIterable<Uint8Array> };

const DAY_MINUTES = 1_440;

/** What a trace may have at most. A day of Azure's whole platform is well below all of it. */
export const TRACE_LIMITS = {
  files: 64,
  functions: 200_000,
  minutes: 60 * DAY_MINUTES,
  /** Minutes with calls, of all functions together: what a trace takes in memory. */
  activeMinutes: 20_000_000,
  callsPerMinute: 100_000_000,
  /** Invocations whose exact time is recorded. */
  arrivals: LIMITS.tracedInvocations,
  lineCharacters: 1024 * 1024,
  nameCharacters: 256,
  /** A document that is parsed as one. */
  documentBytes: 256 * 1024 * 1024,
  durationMs: 7 * DAY_MINUTES * 60_000,
  memoryMiB: 1024 * 1024,
} as const;

/** Decodes UTF-8 chunk by chunk; undefined: there are no more. Throws HearthError `TraceInvalid`. */
export function decoderOf(file: string): (chunk: Uint8Array | undefined) => string {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  return (chunk) => {
    try {
      return chunk ? decoder.decode(chunk, { stream: true }) : decoder.decode();
    } catch (error) {
      throw new HearthError('TraceInvalid', `${file}: is not UTF-8 text`, { cause: error });
    }
  };
}

export function tooLarge(file: string, what: string, limit: number): HearthError {
  return new HearthError('TraceTooLarge', `${file}: a trace may have at most ${limit.toLocaleString('en-US')} ${what}`);
}
