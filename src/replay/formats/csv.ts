/**
 * CSV as RFC 4180 has it, record by record from a stream of bytes: cells may be quoted, lines may end by CRLF, and a quoted cell may hold both.
 * Records come as their text, many at a time, for most readers need a few cells of each and files have hundreds of megabytes.
 */
import { HearthError } from '../../kernel/mod.ts';
import { TRACE_LIMITS, decoderOf } from './source.ts';

export type CsvRecord = {
  /** Where it begins, from 1. */
  readonly line: number;
  readonly text: string;
  /** Without quotes its cells are what lies between commas. */
  readonly quoted: boolean;
};

/** Throws HearthError `TraceInvalid` or `TraceTooLarge`. Empty lines are left out. */
export async function* csvRecords(bytes: AsyncIterable<Uint8Array>, file: string): AsyncGenerator<CsvRecord[]> {
  const decode = decoderOf(file);
  const splitter = new Splitter(file);
  for await (const chunk of bytes) yield splitter.take(decode(chunk));
  splitter.take(decode(undefined));
  yield splitter.end();
}

class Splitter {
  readonly #file: string;
  #rest = '';
  /** Of `#rest`, what has been looked through and has no end of a record. */
  #seen = 0;
  #line = 1;

  constructor(file: string) {
    this.#file = file;
  }

  take(text: string): CsvRecord[] {
    const all = this.#rest + text;
    const records: CsvRecord[] = [];
    let from = 0;
    for (let seen = this.#seen; ;) {
      const newline = all.indexOf('\n', seen);
      if (newline === -1) break;
      seen = newline + 1;
      const piece = all.slice(from, newline);
      const quoted = piece.includes('"');
      if (quoted && opens(piece)) {
        this.#mustFit(piece.length);
        continue;
      }
      this.#add(records, piece, quoted);
      from = seen;
    }
    this.#rest = all.slice(from);
    this.#mustFit(this.#rest.length);
    // A record that goes on in the next line is looked through from its beginning: it is short.
    this.#seen = this.#rest.includes('\n') ? this.#rest.lastIndexOf('\n') + 1 : 0;
    return records;
  }

  end(): CsvRecord[] {
    const records: CsvRecord[] = [];
    const quoted = this.#rest.includes('"');
    if (quoted && opens(this.#rest)) throw invalid(this.#file, this.#line, 'a quoted cell does not end');
    this.#add(records, this.#rest, quoted);
    this.#rest = '';
    return records;
  }

  #add(records: CsvRecord[], piece: string, quoted: boolean): void {
    const text = piece.endsWith('\r') ? piece.slice(0, -1) : piece;
    this.#mustFit(text.length);
    if (text !== '') records.push({ line: this.#line, text, quoted });
    this.#line += quoted ? piece.split('\n').length : 1;
  }

  #mustFit(length: number): void {
    if (length <= TRACE_LIMITS.lineCharacters) return;
    throw new HearthError(
      'TraceTooLarge',
      `${this.#file}:${this.#line}: a record has more than ${TRACE_LIMITS.lineCharacters} characters: a line break or a closing quote is missing`,
    );
  }
}

/** Whether a quoted cell of it goes on behind its end: a quote within a cell is doubled. */
function opens(text: string): boolean {
  let quotes = 0;
  for (let at = text.indexOf('"'); at !== -1; at = text.indexOf('"', at + 1)) quotes++;
  return quotes % 2 === 1;
}

export function cellsOf(record: CsvRecord, file: string): string[] {
  if (!record.quoted) return record.text.split(',');
  const { text } = record;
  const cells: string[] = [];
  for (let at = 0; ;) {
    if (text[at] !== '"') {
      const comma = text.indexOf(',', at);
      const cell = text.slice(at, comma === -1 ? undefined : comma);
      if (cell.includes('"')) throw invalid(file, record.line, `column ${cells.length + 1}: a quote within a cell that is not quoted`);
      cells.push(cell);
      if (comma === -1) return cells;
      at = comma + 1;
      continue;
    }
    let end = text.indexOf('"', at + 1);
    while (text[end + 1] === '"') end = text.indexOf('"', end + 2);
    cells.push(text.slice(at + 1, end).replaceAll('""', '"'));
    if (end + 1 === text.length) return cells;
    if (text[end + 1] !== ',') throw invalid(file, record.line, `column ${cells.length}: something follows the closing quote`);
    at = end + 2;
  }
}

export const invalid = (file: string, line: number, what: string): HearthError =>
  new HearthError('TraceInvalid', `${file}:${line}: ${what}`);
