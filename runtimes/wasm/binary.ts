/** The binary format of WebAssembly, as far as it is taken apart and put together here: numbers (LEB128), names, sections. */

export class Malformed extends Error {}

export class Reader {
  at: number;
  readonly bytes: Uint8Array;
  readonly end: number;

  constructor(bytes: Uint8Array, at = 0, end = bytes.length) {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  byte(): number {
    if (this.at >= this.end) throw new Malformed('ends too early');
    return this.bytes[this.at++]!;
  }

  u32(): number {
    let result = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.byte();
      result |= (byte & 0x7f) << shift;
      if (byte < 0x80) return result >>> 0;
    }
    throw new Malformed('has a number of too many bytes');
  }

  /** Of up to 64 bits; beyond 53 not exact. */
  size(): number {
    let result = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = this.byte();
      result += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return result;
    }
    throw new Malformed('has a number of too many bytes');
  }

  /** A number whose value is of no interest, of up to 64 bits. */
  skipNumber(): void {
    for (let i = 0; i < 10; i++) if (this.byte() < 0x80) return;
    throw new Malformed('has a number of too many bytes');
  }

  skip(count: number): void {
    if (count > this.end - this.at) throw new Malformed('ends too early');
    this.at += count;
  }

  name(): string {
    const length = this.u32();
    const from = this.at;
    this.skip(length);
    return Buffer.from(this.bytes.buffer, this.bytes.byteOffset + from, length).toString('utf8');
  }
}

/** Its layer is 1, where a core module's is 0. */
export const isComponent = (bytes: Uint8Array): boolean => Buffer.from(bytes.subarray(0, 8)).equals(COMPONENT_HEAD);
const COMPONENT_HEAD = Buffer.from([0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0]);

export const SECTION = {
  custom: 0,
  type: 1,
  import: 2,
  function: 3,
  table: 4,
  memory: 5,
  global: 6,
  export: 7,
  start: 8,
  element: 9,
  code: 10,
  data: 11,
  dataCount: 12,
  tag: 13,
} as const;

/** `from` to `to`: its content, without its head. */
export type Section = { readonly id: number; readonly from: number; readonly to: number };

const MAGIC = 0x6d73_6100;
const VERSION = 1;
const HEAD_BYTES = 8;

/** Undefined: no core module, e.g. a component. Throws Malformed. */
export function readSections(bytes: Uint8Array): readonly Section[] | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < HEAD_BYTES || view.getUint32(0, true) !== MAGIC) throw new Malformed('does not begin as a WebAssembly module does');
  if (view.getUint32(4, true) !== VERSION) return undefined;
  const reader = new Reader(bytes, HEAD_BYTES);
  const sections: Section[] = [];
  while (reader.at < bytes.length) {
    const id = reader.byte();
    const size = reader.u32();
    const from = reader.at;
    reader.skip(size);
    sections.push({ id, from, to: reader.at });
  }
  return sections;
}

export function u32(value: number): readonly number[] {
  const bytes: number[] = [];
  for (let rest = value >>> 0; ; rest >>>= 7) {
    if (rest < 0x80) return [...bytes, rest];
    bytes.push((rest & 0x7f) | 0x80);
  }
}

export const nameBytes = (text: string): readonly number[] => [...u32(Buffer.byteLength(text)), ...Buffer.from(text)];

/** Pieces of a new binary, one behind the other. */
export class Writer {
  readonly #pieces: Uint8Array[] = [];
  length = 0;

  add(piece: Uint8Array | readonly number[]): void {
    const bytes = piece instanceof Uint8Array ? piece : Uint8Array.from(piece);
    this.#pieces.push(bytes);
    this.length += bytes.length;
  }

  section(id: number, content: Writer): void {
    this.add([id, ...u32(content.length)]);
    this.#pieces.push(...content.#pieces);
    this.length += content.length;
  }

  bytes(): Uint8Array<ArrayBuffer> {
    const whole = new Uint8Array(this.length);
    let at = 0;
    for (const piece of this.#pieces) {
      whole.set(piece, at);
      at += piece.length;
    }
    return whole;
  }
}
