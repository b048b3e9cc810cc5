/**
 * An address range that nothing of a process gets, from before its first instruction: a library with neither code nor data, of one segment that
 * takes it. The loader maps it first where LD_PRELOAD names it (ld.so(8), elf(5)). Written by the host; nothing of it runs anywhere.
 */

/** V8 asks for addresses of 46 bits. Below 4 GiB there is room for what needs small addresses, above there is for everything else. */
export const FROM = 0x1_0000_0000n;
export const TO = 0x4000_0000_0000n;

const PAGE_BYTES = 4096;
const PAGE = BigInt(PAGE_BYTES);
const HEADER_BYTES = 64;
const SEGMENT_BYTES = 56;
/** In the page: what the loader reads. */
const DYNAMIC = 512n;
const STRINGS = 1024n;
const SYMBOLS = 1032n;
const SYMBOL_BYTES = 24n;

const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const PT_GNU_STACK = 0x6474e551;
const PF_NONE = 0;
const PF_WRITE = 2;
const PF_READ = 4;
const DT = { null: 0n, strings: 5n, symbols: 6n, stringsBytes: 10n, symbolBytes: 11n };

const MACHINE = { x64: 62, arm64: 183 } as const;

/** The file, one page. Its first page is mapped at FROM, to be read; the rest of the range can't be. */
export function reservingLibrary(architecture: keyof typeof MACHINE): Buffer {
  const file = Buffer.alloc(PAGE_BYTES);
  // 64 bits, little-endian, version 1; a shared object.
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  file.writeUInt16LE(3, 16);
  file.writeUInt16LE(MACHINE[architecture], 18);
  file.writeUInt32LE(1, 20);
  const dynamic = [DT.strings, FROM + STRINGS, DT.stringsBytes, 1n, DT.symbols, FROM + SYMBOLS, DT.symbolBytes, SYMBOL_BYTES, DT.null, 0n];
  dynamic.forEach((value, i) => file.writeBigUInt64LE(value, Number(DYNAMIC) + 8 * i));
  const dynamicBytes = BigInt(8 * dynamic.length);
  const segments: readonly Segment[] = [
    { type: PT_LOAD, flags: PF_READ, offset: 0n, at: FROM, fileBytes: PAGE, bytes: PAGE, alignment: PAGE },
    { type: PT_LOAD, flags: PF_NONE, offset: PAGE, at: FROM + PAGE, fileBytes: 0n, bytes: TO - FROM - PAGE, alignment: PAGE },
    { type: PT_DYNAMIC, flags: PF_READ, offset: DYNAMIC, at: FROM + DYNAMIC, fileBytes: dynamicBytes, bytes: dynamicBytes, alignment: 8n },
    // Without it stacks could be executed.
    { type: PT_GNU_STACK, flags: PF_READ | PF_WRITE, offset: 0n, at: 0n, fileBytes: 0n, bytes: 0n, alignment: 16n },
  ];
  file.writeBigUInt64LE(BigInt(HEADER_BYTES), 32);
  file.writeUInt16LE(HEADER_BYTES, 52);
  file.writeUInt16LE(SEGMENT_BYTES, 54);
  file.writeUInt16LE(segments.length, 56);
  segments.forEach((segment, i) => writeSegment(file, HEADER_BYTES + SEGMENT_BYTES * i, segment));
  return file;
}

type Segment = {
  readonly type: number;
  readonly flags: number;
  readonly offset: bigint;
  readonly at: bigint;
  readonly fileBytes: bigint;
  readonly bytes: bigint;
  readonly alignment: bigint;
};

function writeSegment(file: Buffer, to: number, { type, flags, offset, at, fileBytes, bytes, alignment }: Segment): void {
  file.writeUInt32LE(type, to);
  file.writeUInt32LE(flags, to + 4);
  [offset, at, at, fileBytes, bytes, alignment].forEach((value, i) => file.writeBigUInt64LE(value, to + 8 + 8 * i));
}
