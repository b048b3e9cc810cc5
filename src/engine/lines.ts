import { LIMITS } from '../kernel/mod.ts';

/** The lines that the platform writes around an invocation, as AWS Lambda writes them. */

export const startLine = (requestId: string, version: string): string => `START RequestId: ${requestId} Version: ${version}`;

export const endLine = (requestId: string): string => `END RequestId: ${requestId}`;

export type Report = {
  readonly requestId: string;
  readonly durationMs: number;
  /** What is billed, when it isn't the duration rounded up: a timeout is billed as the timeout. */
  readonly billedMs: number;
  readonly memoryMiB: number;
  readonly usedMiB: number;
  /** On the first invocation after an init. */
  readonly initMs: number | undefined;
  /** Empty, or e.g. `Status: timeout`. */
  readonly status: string;
};

export function reportLine(r: Report): string {
  const init = r.initMs === undefined ? '' : `Init Duration: ${r.initMs.toFixed(2)} ms\t`;
  return `REPORT RequestId: ${r.requestId}\tDuration: ${r.durationMs.toFixed(2)} ms\tBilled Duration: ${r.billedMs} ms\tMemory Size: ${r.memoryMiB} MB\tMax Memory Used: ${r.usedMiB} MB\t${init}${r.status}`;
}

export const initReportLine = (initMs: number, status: string): string =>
  `INIT_REPORT Init Duration: ${initMs.toFixed(2)} ms\tPhase: init\t${status}`;

const CUT_MARK = ' ... (line cut by Hearth)';

/** The text within LIMITS.logLineBytes, marked when it had to be cut. */
export function withinLineLimit(text: string): string {
  // A character takes at most three bytes per UTF-16 unit: most lines need no counting.
  if (text.length * 3 <= LIMITS.logLineBytes) return text;
  if (Buffer.byteLength(text) <= LIMITS.logLineBytes) return text;
  // A streaming decoder keeps back what isn't a whole character yet.
  const kept = new TextDecoder().decode(Buffer.from(text).subarray(0, LIMITS.logLineBytes - CUT_MARK.length), { stream: true });
  return kept + CUT_MARK;
}
