import { FrameError, LOG_LEVELS, nestsTooDeep } from '../../protocol/mod.ts';
import type { FunctionError, LogLevel, ReadyPayload, SnapshotBlocker, StepTimes, StreamHead } from '../../protocol/mod.ts';
import { LIMITS } from '../../kernel/mod.ts';

/** What sandboxes send as JSON, read as what it is: text from untrusted code. All throw FrameError when it cannot be read at all. */

export function readFunctionError(payload: Buffer): FunctionError {
  const { errorType, errorMessage, stackTrace, requestId } = readObject(payload);
  return {
    errorType: typeof errorType === 'string' ? errorType : 'Error',
    errorMessage: typeof errorMessage === 'string' ? errorMessage : '',
    ...(Array.isArray(stackTrace) && { stackTrace: stackTrace.filter((line) => typeof line === 'string') }),
    ...(typeof requestId === 'string' && { requestId: requestId.slice(0, MAX_ID) }),
  };
}

/** Longer ones are nobody's. */
const MAX_ID = 256;

export function readReady(payload: Buffer): ReadyPayload {
  const { initMs, streaming, blockers, before, times } = readObject(payload);
  return {
    initMs: typeof initMs === 'number' && initMs >= 0 ? initMs : 0,
    streaming: streaming === true,
    blockers: Array.isArray(blockers) ? blockers.slice(0, MAX_BLOCKERS).map(readBlocker) : [],
    before: readTimes(before),
    times: readTimes(times),
  };
}

export function readSteps(payload: Buffer): StepTimes {
  if (payload.length > MAX_STEPS_BYTES) throw new FrameError('a frame with times is too long');
  return readTimes(readJson(payload));
}

/** The steps are a handful, and their names the host's: more would not be read. */
const readTimes = (value: unknown): StepTimes => (Array.isArray(value) ? value.slice(0, MAX_STEPS) : []);
const MAX_STEPS = 16;
const MAX_STEPS_BYTES = 1024;

const MAX_BLOCKERS = 100;
const MAX_BLOCKER_TEXT = 500;

function readBlocker(value: unknown): SnapshotBlocker {
  const { kind, detail, place } = (value ?? {}) as Record<string, unknown>;
  return {
    kind: shortText(kind) ?? 'unknown',
    detail: shortText(detail) ?? '',
    ...(typeof place === 'string' && { place: shortText(place)! }),
  };
}

/** It is shown in answers and on screens: one line, without control characters. */
const shortText = (value: unknown): string | undefined =>
  typeof value === 'string' ? value.slice(0, MAX_BLOCKER_TEXT).replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, ' ') : undefined;

export function readStreamHead(payload: Buffer): StreamHead {
  const { contentType, prelude } = readObject(payload);
  return {
    contentType: typeof contentType === 'string' ? contentType : 'application/octet-stream',
    ...(typeof prelude === 'object' && prelude !== null && { prelude: readPrelude(prelude) }),
  };
}

/** Status, headers and cookies of a streamed answer, of `value` what is of their kinds. */
export function readPrelude(value: object): NonNullable<StreamHead['prelude']> {
  const { statusCode, headers, cookies } = value as Record<string, unknown>;
  return {
    ...(Number.isInteger(statusCode) && { statusCode: statusCode as number }),
    ...(typeof headers === 'object' && headers !== null && { headers: onlyTexts(headers) }),
    ...(Array.isArray(cookies) && { cookies: cookies.filter((cookie) => typeof cookie === 'string') }),
  };
}

const onlyTexts = (headers: object): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).filter(([, value]) => typeof value === 'string')) as Record<string, string>;

export function readExitCode(payload: Buffer): number {
  const { code } = readObject(payload);
  return Number.isInteger(code) ? (code as number) : 1;
}

export function readLog(payload: Buffer): { readonly text: string; readonly level: LogLevel } {
  const level = LOG_LEVELS[payload[0] ?? LOG_LEVELS.length];
  if (level === undefined) throw new FrameError('a log frame has no known level');
  if (payload.length <= LIMITS.logLineBytes) return { level, text: payload.toString('utf8', 1) };
  return { level, text: `${payload.toString('utf8', 1, LIMITS.logLineBytes)}... (cut, ${payload.length} bytes)` };
}

function readObject(payload: Buffer): Record<string, unknown> {
  const value = readJson(payload);
  if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  throw new FrameError('a frame does not hold the JSON object it should');
}

/** Undefined: it is not JSON, which is the same as JSON of another kind. */
function readJson(payload: Buffer): unknown {
  if (nestsTooDeep(payload)) throw new FrameError('a frame holds JSON that nests too deep');
  try {
    return JSON.parse(payload.toString()) as unknown;
  } catch {
    return undefined;
  }
}
