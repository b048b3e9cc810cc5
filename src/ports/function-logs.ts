import { LIMITS } from '../kernel/mod.ts';
import type { InvocationReport } from './invocation-report.ts';
import type { LoneStart, StartQuery, StartRecord } from './starts.ts';

/** The functions' log lines: appended on the hot path without waiting, kept in bounded space, read by page or followed. */
export interface FunctionLogs {
  /** Never blocks and never throws; lines are written in groups. */
  append(entry: LogEntry): void;
  /** The same for the entries that the report stands for: one record, since there is one for every invocation. */
  report(report: InvocationReport): void;
  /** A record that no entry is read of. */
  started(start: LoneStart): void;
  /** Entries of one function, oldest first. */
  read(functionName: string, query: LogQuery): Promise<readonly LogEntry[]>;
  /** One function's starts, oldest first. */
  starts(functionName: string, query: StartQuery): Promise<readonly StartRecord[]>;
  /** The start with this id, of one of these functions. */
  findStart(id: string, functionNames: Iterable<string>): Promise<StartRecord | undefined>;
  /** One function's invocations as far as the log goes back, in the order in which they ended; at least one batch. */
  invocations(functionName: string): AsyncIterable<InvocationBatch>;
  /** Calls `onEntry` for every entry appended from now on; returns how to stop. */
  follow(functionName: string, onEntry: (entry: LogEntry) => void): () => void;
  /** Whether anybody follows this function. */
  isFollowed(functionName: string): boolean;
  /** Forgets a deleted function's lines. */
  delete(functionName: string): Promise<void>;
  /** All that was appended before is handed to the operating system: it outlives this process, though not a power loss. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

export type InvocationBatch = {
  readonly reports: readonly InvocationReport[];
  /** The log has been full: what lies before its first record has been deleted, or may have been. */
  readonly cut: boolean;
};

export type LogEntry = {
  readonly functionName: string;
  /** Epoch milliseconds. */
  readonly timeMs: number;
  readonly requestId?: string;
  readonly level?: string;
  /** One line or several, without a final newline. */
  readonly text: string;
};

/** `sinceMs` inclusive; `limit`: the latest so many of what matches (default 1,000, at most 10,000). */
export type LogQuery = { readonly sinceMs?: number; readonly requestId?: string; readonly limit?: number };

/** The entry as it is kept: text over the limit is cut, and says so. */
export function boundedLogEntry(entry: LogEntry): LogEntry {
  if (entry.text.length <= LIMITS.logLineBytes) return entry;
  return { ...entry, text: `${entry.text.slice(0, LIMITS.logLineBytes - CUT_MARK.length)}${CUT_MARK}` };
}

const CUT_MARK = ' [cut]';
export const LOG_QUERY_LIMIT = { default: 1_000, max: 10_000 } as const;
