import { invalid } from './csv.ts';
import { TRACE_LIMITS } from './source.ts';

/** Where a CSV file has what. */
export type Columns = {
  readonly count: number;
  readonly at: ReadonlyMap<string, number>;
  readonly names: readonly string[];
  /** The columns that are minutes: one run of consecutive numbers, whichever it begins with. */
  readonly minutes: { readonly from: number; readonly count: number } | undefined;
};

export function columnsOf(names: readonly string[], file: string): Columns {
  const at = new Map<string, number>();
  for (const [index, name] of names.entries()) {
    if (at.has(name)) throw invalid(file, 1, `column ${index + 1}: there are two columns ${JSON.stringify(shown(name))}`);
    at.set(name, index);
  }
  return { count: names.length, at, names, minutes: minutesOf(names, file) };
}

function minutesOf(names: readonly string[], file: string): Columns['minutes'] {
  const from = names.findIndex((name) => MINUTE.test(name));
  if (from === -1) return undefined;
  const first = Number(names[from]);
  let count = 0;
  while (from + count < names.length && MINUTE.test(names[from + count]!)) {
    if (Number(names[from + count]) !== first + count)
      throw invalid(file, 1, `column ${from + count + 1}: minute ${names[from + count]} does not follow minute ${first + count - 1}`);
    count++;
  }
  const stray = names.findIndex((name, index) => index >= from + count && MINUTE.test(name));
  if (stray !== -1) throw invalid(file, 1, `column ${stray + 1}: minute ${names[stray]} does not stand beside the other minutes`);
  return { from, count };
}

const MINUTE = /^\d{1,7}$/;

type Place = { readonly columns: Columns; readonly file: string; readonly line: number };

/** Files may come without owners. */
export function identityOf(cells: readonly string[], place: Place): { readonly owner: string; readonly app: string; readonly fn: string } {
  const fn = nameIn(cells, 'HashFunction', place);
  if (fn === '') throw invalid(place.file, place.line, `column ${place.columns.at.get('HashFunction')! + 1} (HashFunction): is empty`);
  const app = nameIn(cells, 'HashApp', place);
  return { owner: nameIn(cells, 'HashOwner', place), app: app === '' ? fn : app, fn };
}

export function nameIn(cells: readonly string[], name: string, { columns, file, line }: Place): string {
  const at = columns.at.get(name);
  const text = at === undefined ? '' : cells[at]!.trim();
  if (text.length > TRACE_LIMITS.nameCharacters)
    throw invalid(file, line, `column ${at! + 1} (${name}): has more than ${TRACE_LIMITS.nameCharacters} characters`);
  return text;
}

/** Undefined: there is no such column, or nothing in it. */
export function numberIn(
  cells: readonly string[],
  name: string,
  { columns, file, line, max }: Place & { readonly max: number },
): number | undefined {
  const at = columns.at.get(name);
  const text = at === undefined ? '' : cells[at]!.trim();
  if (text === '') return undefined;
  const value = NUMBER.test(text) ? Number(text) : Number.NaN;
  if (value >= 0 && value <= max) return value;
  throw invalid(file, line, `column ${at! + 1} (${name}): ${JSON.stringify(shown(text))} is no number from 0 to ${max}`);
}

const NUMBER = /^\d{1,18}(\.\d{1,25})?([eE][+-]?\d{1,3})?$/;

/** As much of a cell as a message needs. */
export const shown = (text: string): string => (text.length > 40 ? `${text.slice(0, 40)}...` : text);

export const keyOf = (owner: string, app: string, fn: string): string => `${owner}/${app}/${fn}`;
