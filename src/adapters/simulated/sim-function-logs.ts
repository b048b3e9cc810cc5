import { boundedLogEntry, entriesOf, LOG_QUERY_LIMIT, START_QUERY_LIMIT, startOfLone, startOfReport } from '../../ports/mod.ts';
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

/** What outlives a simulated crash: entries and starts by function name. */
export type SimLogsDisk = {
  readonly entries: Map<string, LogEntry[]>;
  readonly starts: Map<string, StartRecord[]>;
  readonly reports: Map<string, InvocationReport[]>;
};

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
    this.#disk = options.disk ?? { entries: new Map(), starts: new Map(), reports: new Map() };
    this.#entriesPerFunction = options.entriesPerFunction ?? LOG_QUERY_LIMIT.max;
  }

  append(entry: LogEntry): void {
    if (this.#closed) return;
    const kept = boundedLogEntry(entry);
    this.#keep(this.#disk.entries, kept);
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
    const start = startOfReport(report);
    if (start && !this.#closed) this.#keep(this.#disk.starts, start);
    if (!this.#closed) this.#keep(this.#disk.reports, report);
  }

  started(start: LoneStart): void {
    if (!this.#closed) this.#keep(this.#disk.starts, startOfLone(start));
  }

  #keep<T extends { readonly functionName: string }>(disk: Map<string, T[]>, record: T): void {
    const records = disk.get(record.functionName) ?? [];
    disk.set(record.functionName, records);
    records.push(record);
    if (records.length > this.#entriesPerFunction) records.shift();
  }

  async read(functionName: string, query: LogQuery): Promise<readonly LogEntry[]> {
    const limit = Math.min(query.limit ?? LOG_QUERY_LIMIT.default, LOG_QUERY_LIMIT.max);
    const matches = (entry: LogEntry) =>
      (query.requestId === undefined || entry.requestId === query.requestId) &&
      (query.sinceMs === undefined || entry.timeMs >= query.sinceMs);
    const found = (this.#disk.entries.get(functionName) ?? []).filter(matches);
    return found.slice(Math.max(0, found.length - limit));
  }

  async starts(functionName: string, { kind, limit = START_QUERY_LIMIT.default }: StartQuery): Promise<readonly StartRecord[]> {
    const found = (this.#disk.starts.get(functionName) ?? []).filter((start) => kind === undefined || start.kind === kind);
    return found.slice(Math.max(0, found.length - Math.min(limit, START_QUERY_LIMIT.max)));
  }

  async findStart(id: string, functionNames: Iterable<string>): Promise<StartRecord | undefined> {
    for (const functionName of functionNames) {
      const found = this.#disk.starts.get(functionName)?.findLast((start) => start.id === id);
      if (found) return found;
    }
    return undefined;
  }

  async *invocations(functionName: string): AsyncGenerator<InvocationBatch> {
    const reports = this.#disk.reports.get(functionName) ?? [];
    yield { reports: [...reports], cut: reports.length >= this.#entriesPerFunction };
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
    this.#disk.entries.delete(functionName);
    this.#disk.starts.delete(functionName);
    this.#disk.reports.delete(functionName);
  }

  async flush(): Promise<void> {}

  async close(): Promise<void> {
    this.#closed = true;
    this.#followers.clear();
  }
}
