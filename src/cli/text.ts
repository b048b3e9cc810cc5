import { HearthError } from '../kernel/mod.ts';

/** Words and numbers for people. */
export function bytesText(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  const kib = bytes / 1024;
  return kib < 1024 ? `${kib.toFixed(1)} KiB` : `${(kib / 1024).toFixed(1)} MiB`;
}

/** Rows of cells as columns, padded to the widest of each. `head` is styled after padding, for escape codes have no width. */
export function tableText(head: readonly string[], rows: readonly (readonly string[])[], style: (text: string) => string): string {
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]?.length ?? 0)));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd();
  return [style(line(head)), ...rows.map(line)].join('\n');
}

const UNIT_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `10m`, `2h`, `30s`, `1d` in milliseconds. Undefined: it is none. */
export function parseSpan(text: string): number | undefined {
  const span = /^(\d{1,9})([smhd])$/.exec(text);
  return span ? Number(span[1]) * UNIT_MS[span[2]!]! : undefined;
}

/** `10m`, `2h`, `30s`, `1d` before `nowMs`, or a point in time as ISO 8601, in epoch milliseconds. Undefined: neither. */
export function parseSince(text: string, nowMs: number): number | undefined {
  const agoMs = parseSpan(text);
  if (agoMs !== undefined) return nowMs - agoMs;
  const at = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(at) ? undefined : at;
}

/** As `parseSince`, of an option. Throws HearthError `BadUsage`. */
export function sinceOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const since = parseSince(text, Date.now());
  if (since !== undefined) return since;
  throw new HearthError('BadUsage', `--since ${text}: give a time span such as 30s, 10m, 2h, 1d, or a time such as 2026-01-31T12:00:00Z`);
}
