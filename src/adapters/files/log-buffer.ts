import type { InvocationReport, LogEntry, LoneStart } from '../../ports/mod.ts';

/** What takes one line in a file. */
export type LogRecord = LogEntry | InvocationReport | LoneStart;

export type LogBatch = { readonly dropped: number; readonly entries: LogRecord[] };

/**
 * Entries that wait to be written, in bounded memory. Over the bound the oldest waiting ones go, counted by function. What has
 * been taken and is being written counts too: a slow disk holds on to it.
 */
export class LogBuffer {
  readonly #maxBytes: number;
  #entries: LogRecord[] = [];
  /** Entries before this one have been dropped: moving the array for each would cost more. */
  #first = 0;
  #waitingBytes = 0;
  #takenBytes = 0;
  #drops = new Map<string, number>();

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** What waits, without what has been taken. */
  get bytes(): number {
    return this.#waitingBytes;
  }

  get empty(): boolean {
    return this.#first === this.#entries.length;
  }

  push(entry: LogRecord): void {
    this.#entries.push(entry);
    this.#waitingBytes += cost(entry);
    while (this.#waitingBytes + this.#takenBytes > this.#maxBytes && this.#first < this.#entries.length) this.#dropOldest();
  }

  countDrops(functionName: string, count: number): void {
    this.#drops.set(functionName, (this.#drops.get(functionName) ?? 0) + count);
  }

  /** All that waits, by function, with how many entries were dropped before. `written` must follow. */
  take(): Map<string, LogBatch> {
    const batches = new Map<string, LogBatch>();
    for (const [functionName, dropped] of this.#drops) batches.set(functionName, { dropped, entries: [] });
    for (let index = this.#first; index < this.#entries.length; index++) {
      const entry = this.#entries[index]!;
      const batch = batches.get(entry.functionName);
      if (batch) batch.entries.push(entry);
      else batches.set(entry.functionName, { dropped: 0, entries: [entry] });
    }
    this.#takenBytes += this.#waitingBytes;
    this.#drops = new Map();
    this.#replace([]);
    return batches;
  }

  written(): void {
    this.#takenBytes = 0;
  }

  forget(functionName: string): void {
    this.#drops.delete(functionName);
    this.#replace(this.#entries.slice(this.#first).filter((entry) => entry.functionName !== functionName));
  }

  #dropOldest(): void {
    const oldest = this.#entries[this.#first]!;
    this.#first += 1;
    this.#waitingBytes -= cost(oldest);
    this.countDrops(oldest.functionName, 1);
    if (this.#first >= 1_024 && this.#first * 2 >= this.#entries.length) {
      this.#entries.splice(0, this.#first);
      this.#first = 0;
    }
  }

  #replace(entries: LogRecord[]): void {
    this.#entries = entries;
    this.#first = 0;
    this.#waitingBytes = entries.reduce((sum, entry) => sum + cost(entry), 0);
  }
}

/** Roughly what an entry takes in memory: its text or its steps, and the objects around it. */
function cost(entry: LogRecord): number {
  return 'text' in entry ? entry.text.length + 128 : 256 + 64 * (entry.start?.steps?.length ?? 0);
}
