import { arch, cpus, platform, release, totalmem } from 'node:os';
import { compared, reached } from './row.ts';
import type { Finding } from './row.ts';
import { stepLines } from './steps.ts';

export function machine() {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${platform()} ${release()} ${arch()}`,
    node: process.version,
  };
}

export function toJson(
  findings: readonly Finding[],
  failures: readonly { readonly row: string; readonly message: string }[],
  quick: boolean,
) {
  const rows = findings.map((finding) => ({ ...finding, compared: compared(finding), reached: reached(finding) }));
  return { machine: machine(), quick, rows, failures };
}

const COLUMNS = ['row', 'Hearth', 'peer', 'Hearth : peer', 'target', ''] as const;

export function toTable(findings: readonly Finding[]): string {
  const lines = [[...COLUMNS], ...findings.map(cells)];
  const widths = COLUMNS.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
  const shown = lines.map((line) =>
    line
      .map((cell, i) => cell.padEnd(widths[i]!))
      .join('  ')
      .trimEnd(),
  );
  return shown.flatMap((line, i) => [line, ...(findings[i - 1]?.starts ?? []).flatMap(stepLines)]).join('\n');
}

function cells(finding: Finding): string[] {
  const { target, peer, unit } = finding;
  const sign = target.bound === 'atLeast' ? '>=' : '<=';
  const value = (n: number) => `${figure(n)} ${unit}`;
  const shown = { ratio: (n: number) => `${n.toFixed(2)} x`, difference: (n: number) => `${n < 0 ? '' : '+'}${value(n)}`, value: () => '' }[
    target.of
  ];
  const limit = target.of === 'ratio' ? `${target.limit} x` : `${target.of === 'difference' ? '+' : ''}${target.limit} ${unit}`;
  return [
    finding.row,
    value(finding.hearth),
    peer ? `${value(peer.value)} (${peer.name})` : '',
    shown(compared(finding)),
    `${sign} ${limit}`,
    reached(finding) ? 'ok' : 'short',
  ];
}

function figure(n: number): string {
  return Math.abs(n) >= 100 ? String(Math.round(n)) : n.toFixed(2);
}
