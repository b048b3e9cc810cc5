import { boundedLogEntry, entriesOf, LOG_QUERY_LIMIT } from '../../ports/mod.ts';
import type { FunctionLogs, InvocationReport, LogEntry, LogQuery } from '../../ports/mod.ts';

/** What outlives a simulated crash: entries by function name. */
export type SimLogsDisk = Map<string, LogEntry[]>;

export type SimFunctionLogsOptions = {
  readonly disk?: SimLogsDisk;
  /** Entries kept per function (default: what one query can return). */
  readonly entriesPerFunction?: number;
};

/** Function logs in memory, for tests and simulation. */
export class SimFunctionLogs implements FunctionLogs {
  readonly #disk: SimLogsDisk;
  readonly #entriesPerFunction: number;
  readonly #followers = new Map<string, Set<{ readonly onEntry: (entry: LogEntry) => void }>>();
  #closed = false;

  static async open(options: SimFunctionLogsOptions = {}): Promise<SimFunctionLogs> {
    return new SimFunctionLogs(options);
  }

  private constructor(options: SimFunctionLogsOptions) {
    this.#disk = options.disk ?? new Map();
    this.#entriesPerFunction = options.entriesPerFunction ?? LOG_QUERY_LIMIT.max;
  }

  append(entry: LogEntry): void {
    if (this.#closed) return;
    const kept = boundedLogEntry(entry);
    const entries = this.#disk.get(kept.functionName) ?? [];
    this.#disk.set(kept.functionName, entries);
    entries.push(kept);
    if (entries.length > this.#entriesPerFunction) entries.shift();
    const followers = this.#followers.get(kept.functionName) ?? new Set();
    for (const follower of [...followers]) {
      try {
        follower.onEntry(kept);
      } catch {
        // Whoever appends is not to suffer for it: a follower that fails gets no more.
        followers.delete(follower);
      }
    }
  }

  report(report: InvocationReport): void {
    for (const entry of entriesOf(report)) this.append(entry);
  }

  async read(functionName: string, query: LogQuery): Promise<readonly LogEntry[]> {
    const limit = Math.min(query.limit ?? LOG_QUERY_LIMIT.default, LOG_QUERY_LIMIT.max);
    const matches = (entry: LogEntry) =>
      (query.requestId === undefined || entry.requestId === query.requestId) &&
      (query.sinceMs === undefined || entry.timeMs >= query.sinceMs);
    const found = (this.#disk.get(functionName) ?? []).filter(matches);
    return found.slice(Math.max(0, found.length - limit));
  }

  follow(functionName: string, onEntry: (entry: LogEntry) => void): () => void {
    const followers = this.#followers.get(functionName) ?? new Set();
    this.#followers.set(functionName, followers);
    const follower = { onEntry };
    followers.add(follower);
    return () => void followers.delete(follower);
  }

  isFollowed(functionName: string): boolean {
    return (this.#followers.get(functionName)?.size ?? 0) > 0;
  }

  async delete(functionName: string): Promise<void> {
    this.#disk.delete(functionName);
  }

  async flush(): Promise<void> {}

  async close(): Promise<void> {
    this.#closed = true;
    this.#followers.clear();
  }
}
