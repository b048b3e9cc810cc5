import type { FileHandle } from 'node:fs/promises';
import { HearthError, LIMITS, silentLog } from '../../kernel/mod.ts';
import type { Clock, Log, Timer } from '../../kernel/mod.ts';
import { boundedLogEntry, entriesOf, LOG_QUERY_LIMIT, START_QUERY_LIMIT } from '../../ports/mod.ts';
import type {
  FunctionLogs,
  InvocationBatch,
  InvocationReport,
  LogEntry,
  LogQuery,
  LoneStart,
  StartQuery,
  StartRecord,
} from '../../ports/mod.ts';
import { LogBuffer } from './log-buffer.ts';
import type { LogBatch } from './log-buffer.ts';
import { LogFiles } from './log-files.ts';
import type { LogSpace } from './log-files.ts';
import {
  blocksBackwards,
  decodeLine,
  decodeReportLine,
  decodeStartLine,
  encodeLine,
  linesBackwards,
  linesForwards,
  linesOf,
} from './log-lines.ts';

export type FunctionLogsLimits = LogSpace & { readonly bufferBytes: number; readonly flushBytes: number; readonly flushDelayMs: number };

export type FileFunctionLogsOptions = {
  readonly directory: string;
  readonly clock: Clock;
  readonly limits?: Partial<FunctionLogsLimits>;
  /** Hears of lines that cannot be written. */
  readonly log?: Log;
};

/**
 * The functions' logs as JSON lines in rotating files. `append` only puts the entry into an array and tells the followers; every
 * 50 ms, or sooner when much has gathered, the array is written, one write per function. When the disk is slower than the
 * functions, the oldest waiting entries are dropped, and a line in the function's log says how many.
 */
export class FileFunctionLogs implements FunctionLogs {
  readonly #files: LogFiles;
  readonly #clock: Clock;
  readonly #limits: FunctionLogsLimits;
  readonly #log: Log;
  readonly #buffer: LogBuffer;
  readonly #followers = new Map<string, Set<(entry: LogEntry) => void>>();
  #timer: Timer | undefined;
  #hurried = false;
  #flushing = false;
  #closed = false;
  #failing = false;
  /** What touches the files runs one after the other. */
  #turn: Promise<unknown> = Promise.resolve();

  /** Throws HearthError `DataDirectoryUnusable` when the directory cannot be made or read. */
  static async open(options: FileFunctionLogsOptions): Promise<FileFunctionLogs> {
    const limits = { ...LIMITS.functionLogs, ...options.limits };
    try {
      return new FileFunctionLogs(await LogFiles.open(options.directory, limits), limits, options);
    } catch (cause) {
      throw new HearthError('DataDirectoryUnusable', `the log directory ${options.directory} cannot be used: ${String(cause)}`, { cause });
    }
  }

  private constructor(files: LogFiles, limits: FunctionLogsLimits, options: FileFunctionLogsOptions) {
    this.#files = files;
    this.#limits = limits;
    this.#clock = options.clock;
    this.#log = options.log ?? silentLog;
    this.#buffer = new LogBuffer(limits.bufferBytes);
  }

  append(entry: LogEntry): void {
    if (this.#closed) return;
    const kept = boundedLogEntry(entry);
    this.#buffer.push(kept);
    const followers = this.#followers.get(kept.functionName);
    if (followers) this.#tell(followers, kept);
    this.#arm();
  }

  report(report: InvocationReport): void {
    if (this.#closed) return;
    this.#buffer.push(report);
    const followers = this.#followers.get(report.functionName);
    if (followers) for (const entry of entriesOf(report)) this.#tell(followers, entry);
    this.#arm();
  }

  started(start: LoneStart): void {
    if (this.#closed) return;
    this.#buffer.push(start);
    this.#arm();
  }

  async read(functionName: string, query: LogQuery): Promise<readonly LogEntry[]> {
    const limit = Math.min(query.limit ?? LOG_QUERY_LIMIT.default, LOG_QUERY_LIMIT.max);
    const found: LogEntry[] = [];
    await this.#eachFile(functionName, async (file, size) => {
      for await (const lines of linesBackwards(file, size)) {
        found.push(...matching(lines, functionName, query, limit - found.length));
        if (found.length >= limit) return true;
      }
      return false;
    });
    return found.reverse();
  }

  async starts(functionName: string, { kind, limit = START_QUERY_LIMIT.default }: StartQuery): Promise<readonly StartRecord[]> {
    const most = Math.min(limit, START_QUERY_LIMIT.max);
    const sign = kind === undefined ? '"version":' : `"${kind}":`;
    const found: StartRecord[] = [];
    await this.#eachFile(functionName, async (file, size) => {
      for await (const lines of linesBackwards(file, size)) {
        for (const line of lines) {
          if (found.length >= most) return true;
          const start = line.includes(sign) ? decodeStartLine(line, functionName) : undefined;
          if (start && (kind === undefined || start.kind === kind)) found.push(start);
        }
      }
      return false;
    });
    return found.reverse();
  }

  async findStart(id: string, functionNames: Iterable<string>): Promise<StartRecord | undefined> {
    const sign = Buffer.from(`"id":${JSON.stringify(id)}`);
    let found: StartRecord | undefined;
    // A function's first lines may have no file yet.
    await this.flush();
    for (const functionName of this.#files.latestFirst(functionNames)) {
      await this.#eachFile(functionName, async (file, size) => {
        for await (const block of blocksBackwards(file, size)) {
          // Far cheaper than looking at lines: most blocks have nothing of it.
          if (block.includes(sign)) found = startIn(linesOf(block), functionName, id);
          if (found) return true;
        }
        return false;
      });
      if (found) return found;
    }
    return undefined;
  }

  async *invocations(functionName: string): AsyncGenerator<InvocationBatch> {
    const files = await this.#openFiles(functionName);
    const cut = files.length >= this.#limits.filesPerFunction;
    try {
      yield { reports: [], cut };
      for (const file of files.toReversed()) {
        for await (const lines of linesForwards(file, (await file.stat()).size)) {
          yield { reports: lines.map((line) => decodeReportLine(line, functionName)).filter((report) => report !== undefined), cut };
        }
      }
    } finally {
      await Promise.all(files.map((file) => file.close()));
    }
  }

  follow(functionName: string, onEntry: (entry: LogEntry) => void): () => void {
    const followers = this.#followers.get(functionName) ?? new Set();
    this.#followers.set(functionName, followers);
    // A wrapper, so that the same callback may follow twice.
    const follower = (entry: LogEntry) => onEntry(entry);
    followers.add(follower);
    return () => {
      followers.delete(follower);
      if (followers.size === 0 && this.#followers.get(functionName) === followers) this.#followers.delete(functionName);
    };
  }

  isFollowed(functionName: string): boolean {
    return this.#followers.has(functionName);
  }

  async delete(functionName: string): Promise<void> {
    this.#buffer.forget(functionName);
    await this.#inTurn(() => this.#files.delete(functionName));
  }

  async flush(): Promise<void> {
    await this.#inTurn(() => this.#write());
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    this.#followers.clear();
    await this.flush();
  }

  /** Looks at the function's files, newest first, until `look` has seen enough. */
  async #eachFile(functionName: string, look: (file: FileHandle, size: number) => Promise<boolean>): Promise<void> {
    const files = await this.#openFiles(functionName);
    try {
      for (const file of files) if (await look(file, (await file.stat()).size)) return;
    } finally {
      await Promise.all(files.map((file) => file.close()));
    }
  }

  /** Newest first, with all that was appended before; the caller closes them. */
  #openFiles(functionName: string): Promise<readonly FileHandle[]> {
    return this.#inTurn(async () => {
      await this.#write();
      return await this.#files.openForReading(functionName);
    });
  }

  #tell(followers: Set<(entry: LogEntry) => void>, entry: LogEntry): void {
    for (const follower of [...followers]) {
      try {
        follower(entry);
      } catch (error) {
        // Whoever appends is in the middle of an invocation: a follower's failure is not its concern.
        followers.delete(follower);
        this.#log.warn({ error, functionName: entry.functionName }, 'a follower of a function log failed and gets no more lines');
      }
    }
  }

  /** Sets the timer for the next flush, unless one runs: that sets it when it is done. */
  #arm(): void {
    if (this.#flushing || this.#closed) return;
    const hurry = this.#buffer.bytes >= this.#limits.flushBytes;
    if (this.#timer && (this.#hurried || !hurry)) return;
    this.#timer?.cancel();
    this.#hurried = hurry;
    this.#timer = this.#clock.after(hurry ? 0 : this.#limits.flushDelayMs, () => void this.#flushInBackground());
  }

  async #flushInBackground(): Promise<void> {
    this.#timer = undefined;
    this.#flushing = true;
    await this.flush();
    this.#flushing = false;
    if (!this.#buffer.empty) this.#arm();
  }

  /** Writes what waits. Never rejects: what cannot be written is dropped and counted. */
  async #write(): Promise<void> {
    const batches = [...this.#buffer.take()];
    if (batches.length === 0) return;
    // Few at a time: each holds a descriptor while it is written.
    const next = batches.values();
    const results = await Promise.all(Array.from({ length: 16 }, () => this.#writeFrom(next)));
    this.#buffer.written();
    this.#reportFailure(results.find((error) => error !== undefined) ?? (await this.#makeRoom()));
  }

  /** Writes batches until there are no more; returns what went wrong last. */
  async #writeFrom(batches: Iterator<[string, LogBatch]> & Iterable<[string, LogBatch]>): Promise<unknown> {
    let failure: unknown;
    for (const [functionName, { dropped, entries }] of batches) {
      const notice = dropped === 0 ? [] : [dropNotice(functionName, dropped, this.#clock.now())];
      try {
        await this.#files.append(functionName, [...notice, ...entries].map(encodeLine));
      } catch (error) {
        this.#buffer.countDrops(functionName, dropped + entries.length);
        failure = error;
      }
    }
    return failure;
  }

  async #makeRoom(): Promise<unknown> {
    try {
      await this.#files.makeRoom();
      return undefined;
    } catch (error) {
      return error;
    }
  }

  /** Once when it begins, not twenty times a second. */
  #reportFailure(failure: unknown): void {
    if (failure !== undefined && !this.#failing) this.#log.error({ error: failure }, 'function logs cannot be written; lines are dropped');
    this.#failing = failure !== undefined;
  }

  async #inTurn<T>(operation: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(operation, operation);
    this.#turn = turn;
    return await turn;
  }
}

function matching(lines: readonly string[], functionName: string, query: LogQuery, limit: number): LogEntry[] {
  const { requestId, sinceMs } = query;
  const id = JSON.stringify(requestId);
  const found: LogEntry[] = [];
  for (const line of lines) {
    if (found.length >= limit) break;
    // Cheaper than parsing every line; the comparison after it decides.
    if (requestId !== undefined && !line.includes(id)) continue;
    // The last first, as the lines come.
    for (const entry of decodeLine(line, functionName).reverse()) {
      if (found.length >= limit) break;
      if ((requestId === undefined || entry.requestId === requestId) && (sinceMs === undefined || entry.timeMs >= sinceMs))
        found.push(entry);
    }
  }
  return found;
}

function startIn(lines: readonly string[], functionName: string, id: string): StartRecord | undefined {
  for (const line of lines) {
    if (!line.includes(id)) continue;
    const start = decodeStartLine(line, functionName);
    if (start?.id === id) return start;
  }
  return undefined;
}

function dropNotice(functionName: string, count: number, timeMs: number): LogEntry {
  const lines = count === 1 ? '1 log entry was' : `${count} log entries were`;
  return { functionName, timeMs, level: 'WARN', text: `${lines} dropped here: the disk was full, or slower than they came.` };
}
