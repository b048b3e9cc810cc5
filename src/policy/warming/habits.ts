/** What is remembered of one function, as it also survives a restart: its last call, its gaps, its children. */
import { Children } from './children.ts';
import type { SavedChildren } from './children.ts';
import { Gaps } from './gaps.ts';

export class Habits {
  calls = 0;
  lastMs = -Infinity;
  /** The last tick of a declared schedule that was followed by a call. */
  tickMs = -Infinity;
  gaps = new Gaps();
  readonly children = new Children();

  called(atMs: number, tickMs: number | undefined): void {
    this.calls++;
    this.lastMs = atMs;
    this.tickMs = tickMs ?? this.tickMs;
  }

  write(): Uint8Array {
    const links = Buffer.from(JSON.stringify(this.children.save()));
    const children = links.byteLength <= MOST_CHILDREN_BYTES ? links : Buffer.from(JSON.stringify(new Children().save()));
    const view = new DataView(new ArrayBuffer(HEAD_BYTES + children.byteLength + Gaps.MOST_BYTES));
    view.setUint32(0, FORM);
    view.setFloat64(4, this.calls);
    view.setFloat64(12, this.lastMs);
    view.setFloat64(20, this.tickMs);
    view.setUint16(28, children.byteLength);
    new Uint8Array(view.buffer).set(children, HEAD_BYTES);
    return new Uint8Array(view.buffer, 0, this.gaps.write(view, HEAD_BYTES + children.byteLength));
  }

  /** Undefined: these bytes are something else. */
  static read(saved: Uint8Array): Habits | undefined {
    const view = new DataView(saved.buffer, saved.byteOffset, saved.byteLength);
    if (saved.byteLength < HEAD_BYTES || view.getUint32(0) !== FORM) return undefined;
    const habits = new Habits();
    habits.calls = view.getFloat64(4);
    habits.lastMs = view.getFloat64(12);
    habits.tickMs = view.getFloat64(20);
    const end = HEAD_BYTES + view.getUint16(28);
    const gaps = Gaps.read(view, end);
    const children = readChildren(Buffer.from(saved.subarray(HEAD_BYTES, end)).toString());
    if (gaps === undefined || children === undefined || !(habits.calls >= 0) || Number.isNaN(habits.lastMs)) return undefined;
    habits.gaps = gaps;
    habits.children.load(children);
    return habits;
  }
}

function readChildren(text: string): SavedChildren | undefined {
  let read: unknown;
  try {
    read = JSON.parse(text);
  } catch {
    // Bytes that are no JSON are no saved state.
    return undefined;
  }
  const { starts, links } = (read ?? {}) as { starts?: unknown; links?: unknown };
  if (typeof starts !== 'number' || !Array.isArray(links)) return undefined;
  const whole = links.every((link: unknown) => Array.isArray(link) && typeof link[0] === 'string' && typeof link[1] === 'number');
  return whole ? { starts, links: links as SavedChildren['links'] } : undefined;
}

const FORM = 0x48484232;
const HEAD_BYTES = 30;
const MOST_CHILDREN_BYTES = 4 * 1024;
