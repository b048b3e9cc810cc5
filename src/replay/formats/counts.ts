import { cellsOf, invalid } from './csv.ts';
import type { CsvRecord } from './csv.ts';
import { shown } from './columns.ts';
import type { Columns } from './columns.ts';
import { TRACE_LIMITS } from './source.ts';

/** Minutes with calls, in order. */
export type Counts = readonly (readonly [minute: number, calls: number])[];

export type CountsPlace = {
  readonly columns: Columns;
  readonly file: string;
  /** The minute that the first column stands for. */
  readonly firstMinute: number;
};

/**
 * A row of invocations: the cells before the minutes, and the minutes that are not 0. A day has 1,440 of them for each function, nearly all 0:
 * where nothing is unusual they are read from the row's characters, without making cells of them.
 */
export function readCounts(record: CsvRecord, place: CountsPlace): { readonly head: readonly string[]; readonly counts: Counts } {
  return plain(record, place) ?? careful(record, place);
}

const COMMA = 0x2c;
const ZERO = 0x30;

/** Undefined: something in it is unusual, or wrong. */
function plain({ text, quoted }: CsvRecord, { columns, firstMinute }: CountsPlace): ReturnType<typeof readCounts> | undefined {
  const { from, count } = columns.minutes!;
  if (quoted || from + count !== columns.count) return undefined;
  const head = text.split(',', from);
  if (head.length < from) return undefined;
  const counts: Counts[number][] = [];
  let column = 0;
  let value = -1;
  for (let at = head.reduce((sum, cell) => sum + cell.length + 1, 0); at <= text.length; at++) {
    const code = at === text.length ? COMMA : text.charCodeAt(at);
    if (code === COMMA) {
      if (value === -1 || value > TRACE_LIMITS.callsPerMinute) return undefined;
      if (value > 0) counts.push(pairOf(firstMinute + column, value));
      column++;
      value = -1;
    } else if (code >= ZERO && code <= ZERO + 9) value = (value === -1 ? 0 : value * 10) + code - ZERO;
    else return undefined;
  }
  return column === count ? { head, counts } : undefined;
}

function careful(record: CsvRecord, { columns, file, firstMinute }: CountsPlace): ReturnType<typeof readCounts> {
  const cells = cellsOf(record, file);
  if (cells.length !== columns.count)
    throw invalid(file, record.line, `the row has ${cells.length} columns, the first line ${columns.count}`);
  const { from, count } = columns.minutes!;
  const counts: Counts[number][] = [];
  for (let minute = 0; minute < count; minute++) {
    const text = cells[from + minute]!.trim();
    // Tools that have added rows up write 3.0.
    const calls = /^\d{1,12}(\.0{1,9})?$/.test(text) ? Number(text) : Number.NaN;
    if (!(calls <= TRACE_LIMITS.callsPerMinute)) {
      const where = `column ${from + minute + 1} (${columns.names[from + minute]})`;
      throw invalid(
        file,
        record.line,
        `${where}: ${JSON.stringify(shown(text))} is no whole number from 0 to ${TRACE_LIMITS.callsPerMinute}`,
      );
    }
    if (calls > 0) counts.push(pairOf(firstMinute + minute, calls));
  }
  return { head: cells, counts };
}

/** Most pairs are among few, and there are millions of them: they are made once. Indexed by calls, then minute. */
const PAIRS: Counts[number][][] = Array.from({ length: 32 }, () => []);

function pairOf(minute: number, calls: number): Counts[number] {
  const made = PAIRS[calls];
  if (!made || minute >= MOST_MADE) return [minute, calls];
  return (made[minute] ??= [minute, calls]);
}

const MOST_MADE = 14 * 1_440;
