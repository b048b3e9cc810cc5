import { StringDecoder } from 'node:string_decoder';
import { LIMITS } from '../../kernel/mod.ts';

/** Cuts a byte stream into lines; one over the limit is handed out in pieces. */
export class Lines {
  readonly #decoder = new StringDecoder('utf8');
  readonly #onLine: (line: string) => void;
  #open = '';

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  push(chunk: Buffer): void {
    const lines = (this.#open + this.#decoder.write(chunk)).split('\n');
    this.#open = lines.pop()!;
    for (const line of lines) this.#onLine(line);
    if (this.#open.length >= LIMITS.logLineBytes) this.end();
  }

  end(): void {
    if (this.#open === '') return;
    const line = this.#open;
    this.#open = '';
    this.#onLine(line);
  }
}
