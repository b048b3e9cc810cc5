import { LIMITS } from '../kernel/mod.ts';

/** The last LIMITS.logTailBytes of an invocation's log lines, in bounded memory. */
export class LogTail {
  #lines: string[] = [];
  #length = 0;

  add(line: string): void {
    this.#lines.push(`${line}\n`);
    this.#length += line.length + 1;
    // Each character is at least one byte, so what goes can never be part of the tail.
    while (this.#lines.length > 1 && this.#length - this.#lines[0]!.length >= LIMITS.logTailBytes) {
      this.#length -= this.#lines.shift()!.length;
    }
  }

  /** What was logged before this one began, e.g. during init. */
  addAll(other: LogTail): void {
    this.#lines.push(...other.#lines);
    this.#length += other.#length;
  }

  text(): string {
    const bytes = Buffer.from(this.#lines.join(''));
    let from = Math.max(0, bytes.length - LIMITS.logTailBytes);
    // Not in the middle of a character.
    while (from > 0 && from < bytes.length && (bytes[from]! & 0xc0) === 0x80) from++;
    return bytes.toString('utf8', from);
  }
}
