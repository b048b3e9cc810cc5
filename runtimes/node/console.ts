/**
 * Console output as Lambda writes it: each call goes out at once, with the time, the request's id and the level. What is written to
 * process.stdout and process.stderr goes out as it is, line by line.
 */
import type { AsyncLocalStorage } from 'node:async_hooks';
import { Writable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { format } from 'node:util';
import type { Channel } from './channel.ts';
import { KIND } from './channel.ts';
import { toFunctionError } from './errors.ts';

/** Whose output it is. */
export type LogScope = { stream: number; requestId: string | undefined };

export const LEVELS = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'] as const;
type Level = 0 | 1 | 2 | 3 | 4 | 5;

/** Longer texts are cut and marked; the host does so once more, since it cannot trust this process. */
export const MAX_LOG_BYTES = 255 * 1024;

const RealDate = Date;
const { stringify } = JSON;
const apply: (target: typeof format, self: undefined, parameters: unknown[]) => string = Reflect.apply;
const { byteLength } = Buffer;
/** The scope of the only invocation that runs; with `store` set, each has its own. */
const only: LogScope = { stream: 0, requestId: undefined };
let store: AsyncLocalStorage<LogScope> | undefined;
let channel: Channel | undefined;
let asJson = false;
let lines: LineWriter[] = [];

/** Writes as the environment says once `configureConsole` has read it. */
export function installConsole(to: Channel): void {
  channel = to;
  const own = globalThis.console as Console & { _stdout: unknown; _stderr: unknown };
  const out = new LineWriter(2);
  const err = new LineWriter(4);
  lines = [out, err];
  const stdout = replaceStream('stdout', 1, out);
  const stderr = replaceStream('stderr', 2, err);
  // console.table, dir and the like write to the streams that the console was made with.
  own._stdout = stdout;
  own._stderr = stderr;
}

export function configureConsole(environment: Readonly<Record<string, string | undefined>>): void {
  asJson = environment['AWS_LAMBDA_LOG_FORMAT']?.toUpperCase() === 'JSON';
  const least = Math.max(0, LEVELS.indexOf((environment['AWS_LAMBDA_LOG_LEVEL'] ?? '').toUpperCase() as (typeof LEVELS)[number]));
  const method = (level: Level) => (level < least ? () => {} : (...params: unknown[]) => emit(level, params));
  const own = globalThis.console as Console & { fatal: unknown };
  own.trace = method(0);
  own.debug = method(1);
  own.log = own.info = method(2);
  own.warn = method(3);
  own.error = method(4);
  own.fatal = method(5);
}

/** Names the invocation whose output follows; stream 0: none. */
export function setLogScope(stream: number, requestId: string | undefined): void {
  only.stream = stream;
  if (requestId !== undefined) only.requestId = requestId;
}

/** As before the first invocation. */
export function forgetInvocation(): void {
  only.stream = 0;
  only.requestId = undefined;
}

/** Several invocations at a time: each call of `run` on the store has its own scope. */
export function setLogStore(scopes: AsyncLocalStorage<LogScope>): void {
  store = scopes;
}

/** Writes lines of each kind: the first ones set up the time zone, and what formats. */
export function rehearseConsole(to: Channel, rounds: number): void {
  divertOutput(to, () => {
    for (let round = 0; round < rounds; round++) {
      emit(2, ['%s', 'text']);
      emit(2, ['text', { round }]);
    }
  });
}

/** What `run` writes goes to `to`. Lines that have begun before, and the invocation that output is of, are as before. */
export function divertOutput(to: Channel, run: () => void): void {
  const before = { channel, lines, only: { ...only } };
  channel = to;
  lines = [];
  try {
    run();
  } finally {
    channel = before.channel;
    lines = before.lines;
    only.stream = before.only.stream;
    only.requestId = before.only.requestId;
  }
}

/** The line that Lambda writes when an invocation or the init fails. */
export function logError(label: string, thrown: unknown): void {
  try {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    if (asJson) emit(4, [error]);
    else emit(4, [label, `\t${describe(error)}`]);
  } catch {
    emit(4, [label, `\t${stringify(toFunctionError(thrown))}`]);
  }
}

/** Sends the beginnings of lines that were written without an end. */
export function flushLines(): void {
  for (let i = 0; i < lines.length; i++) lines[i]!.flush();
}

function emit(level: Level, params: unknown[]): void {
  const time = new RealDate().toISOString();
  const { requestId } = scope();
  send(
    level,
    asJson ? jsonLine(time, requestId, level, params) : `${time}\t${requestId}\t${LEVELS[level]}\t${apply(format, undefined, params)}`,
  );
}

function scope(): LogScope {
  return store?.getStore() ?? only;
}

function send(level: Level, text: string): void {
  channel?.sendText(KIND.log, scope().stream, 1, level, text.length * 3 <= MAX_LOG_BYTES ? text : cut(text));
}

function cut(text: string): string {
  const bytes = byteLength(text);
  if (bytes <= MAX_LOG_BYTES) return text;
  return `${text.slice(0, Math.floor((text.length * MAX_LOG_BYTES) / bytes))}... (cut, ${bytes} bytes)`;
}

function jsonLine(timestamp: string, requestId: string | undefined, level: Level, params: unknown[]): string {
  const line: Record<string, unknown> = { timestamp, level: LEVELS[level], requestId };
  if (params.length === 1) {
    try {
      return stringify({ ...line, message: params[0] }, (_, value: unknown) => (value instanceof Error ? errorFields(value) : value));
    } catch {
      return stringify({ ...line, message: format(params[0]) });
    }
  }
  line['message'] = apply(format, undefined, params);
  const error = params.find((param) => param instanceof Error);
  if (error) Object.assign(line, toFunctionError(error));
  return stringify(line);
}

const errorFields = (error: Error): object => ({
  errorType: error.constructor?.name ?? 'UnknownError',
  errorMessage: error.message,
  stackTrace: typeof error.stack === 'string' ? error.stack.split('\n') : error.stack,
  ...(error as object),
});

/** An error with its own fields, as JSON. */
function describe(error: Error): string {
  return stringify(error, (_, value: unknown) => {
    if (!(value instanceof Error)) return value;
    const { errorType, errorMessage, stackTrace } = toFunctionError(value);
    return { errorType, errorMessage, code: (value as NodeJS.ErrnoException).code, ...(value as object), stack: stackTrace };
  });
}

/** Cuts what is written into lines and sends each. */
class LineWriter {
  readonly #level: Level;
  readonly #decoder = new StringDecoder('utf8');
  #open = '';

  constructor(level: Level) {
    this.#level = level;
  }

  write(chunk: string | Uint8Array): void {
    const text = this.#open + (typeof chunk === 'string' ? chunk : this.#decoder.write(chunk));
    const end = text.lastIndexOf('\n');
    if (end >= 0) send(this.#level, text.slice(0, end));
    this.#open = text.slice(end + 1);
    if (this.#open.length > MAX_LOG_BYTES) this.flush();
  }

  flush(): void {
    if (this.#open === '') return;
    const text = this.#open;
    this.#open = '';
    send(this.#level, text);
  }
}

function replaceStream(name: 'stdout' | 'stderr', fd: number, target: LineWriter): Writable {
  const stream = new Writable({
    decodeStrings: false,
    write(chunk: string | Uint8Array, encoding, done) {
      target.write(typeof chunk !== 'string' || encoding === 'utf8' || encoding === 'utf-8' ? chunk : Buffer.from(chunk, encoding));
      done();
    },
    // As with Node's own: nothing that ends it may keep later output from being written.
    destroy: (error, done) => done(error),
  });
  Object.assign(stream, { fd, _type: 'pipe', _isStdio: true });
  Object.defineProperty(process, name, { configurable: true, enumerable: true, get: () => stream });
  return stream;
}
