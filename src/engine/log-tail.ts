import { LIMITS } from '../kernel/mod.ts';
import type { EngineLog } from './engine.ts';
import { formatLine } from './lines.ts';

/** The last LIMITS.logTailBytes of an invocation's formatted log lines, in bounded memory. */
export class LogTail {
  #lines: string[] = [];
  #length = 0;

  add(line: EngineLog): void {
    const text = `${formatLine(line)}\n`;
    this.#lines.push(text);
    this.#length += text.length;
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
