import type { LogEntry } from './function-logs.ts';
import type { Start } from './starts.ts';

/** What the platform says of an invocation that has ended: kept as one record, read as the lines that Lambda writes around it. */
export type InvocationReport = {
  readonly functionName: string;
  readonly version: string;
  readonly requestId: string;
  /** Epoch milliseconds. */
  readonly startedMs: number;
  readonly endedMs: number;
  readonly durationMs: number;
  /** What is billed, when it isn't the duration rounded up: a timeout is billed as the timeout. */
  readonly billedMs: number;
  readonly memoryMiB: number;
  readonly usedMiB: number;
  /** On the first invocation after an init. */
  readonly initMs: number | undefined;
  /** Empty, or e.g. `Status: timeout`. */
  readonly status: string;
  /** Its START line stands in the log already, before lines of the function's own. */
  readonly begun: boolean;
  /** How it got its instance; undefined: it got none. */
  readonly start: Start | undefined;
  /** From its arrival until it had one. */
  readonly waitedMs: number;
  /** What the call came by, e.g. `http`; undefined: by the API. */
  readonly trigger?: string | undefined;
};

export const startLine = (requestId: string, version: string): string => `START RequestId: ${requestId} Version: ${version}`;

const endLine = (requestId: string): string => `END RequestId: ${requestId}`;

function reportLine(r: InvocationReport): string {
  const init = r.initMs === undefined ? '' : `Init Duration: ${r.initMs.toFixed(2)} ms\t`;
  return `REPORT RequestId: ${r.requestId}\tDuration: ${r.durationMs.toFixed(2)} ms\tBilled Duration: ${r.billedMs} ms\tMemory Size: ${r.memoryMiB} MB\tMax Memory Used: ${r.usedMiB} MB\t${init}${r.status}`;
}

/** The entries that a report stands for, in the order in which they are read. */
export function entriesOf(report: InvocationReport): LogEntry[] {
  const { functionName, requestId, startedMs, endedMs } = report;
  const entry = (timeMs: number, text: string): LogEntry => ({ functionName, timeMs, requestId, text });
  const ending = [entry(endedMs, endLine(requestId)), entry(endedMs, reportLine(report))];
  return report.begun ? ending : [entry(startedMs, startLine(requestId, report.version)), ...ending];
}
