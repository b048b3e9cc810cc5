import { LIMITS } from '../kernel/mod.ts';

/** As AWS Lambda writes it, for an init that no invocation reports. */
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
