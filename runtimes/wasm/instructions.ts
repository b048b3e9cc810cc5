/** Walks through the instructions of a function, as far as to know where each one ends. */
import { Malformed } from './binary.ts';
import type { Reader } from './binary.ts';

export const OP = { memorySize: 0x3f, memoryGrow: 0x40, bulk: 0xfc, gc: 0xfb, simd: 0xfd, atomic: 0xfe } as const;
/** Of the instructions behind `bulk`. */
export const BULK = { dataDrop: 9, tableInit: 12, elemDrop: 13, tableCopy: 14, tableGrow: 15, tableFill: 17 } as const;
export const TABLE_SET = 0x26;

/** What comes behind an opcode. */
type Immediates = (reader: Reader) => void;

const none: Immediates = () => {};
const index: Immediates = (reader) => reader.skipNumber();
const twoIndexes: Immediates = (reader) => {
  reader.skipNumber();
  reader.skipNumber();
};
const fixed =
  (count: number): Immediates =>
  (reader) =>
    reader.skip(count);
const MEMORY_INDEX_FOLLOWS = 0x40;
const memoryArgument: Immediates = (reader) => {
  if ((reader.u32() & MEMORY_INDEX_FOLLOWS) !== 0) reader.skipNumber();
  reader.skipNumber();
};
const lane: Immediates = (reader) => reader.skip(1);

/** `(ref null heap)` and `(ref heap)`: a heap type follows. */
export const REF_NULL = 0x63;
export const REF = 0x64;

export function skipValueType(reader: Reader): void {
  const type = reader.byte();
  if (type === REF_NULL || type === REF) reader.skipNumber();
}

const blockType: Immediates = (reader) => {
  const first = reader.bytes[reader.at]!;
  if (first === REF_NULL || first === REF) skipValueType(reader);
  else reader.skipNumber();
};

const indexList: Immediates = (reader) => {
  for (let count = reader.u32(); count > 0; count--) reader.skipNumber();
  reader.skipNumber();
};
const typeList: Immediates = (reader) => {
  for (let count = reader.u32(); count > 0; count--) skipValueType(reader);
};
const CATCH_ALL = 2;
const tryTable: Immediates = (reader) => {
  blockType(reader);
  for (let count = reader.u32(); count > 0; count--) {
    if (reader.byte() < CATCH_ALL) reader.skipNumber();
    reader.skipNumber();
  }
};

const PLAIN: (Immediates | undefined)[] = [];
const set = (from: number, to: number, immediates: Immediates) => {
  for (let op = from; op <= to; op++) PLAIN[op] = immediates;
};
set(0x00, 0x01, none);
set(0x02, 0x04, blockType);
set(0x05, 0x05, none);
set(0x06, 0x06, blockType);
set(0x07, 0x09, index);
set(0x0a, 0x0b, none);
set(0x0c, 0x0d, index);
set(0x0e, 0x0e, indexList);
set(0x0f, 0x0f, none);
set(0x10, 0x10, index);
set(0x11, 0x11, twoIndexes);
set(0x12, 0x12, index);
set(0x13, 0x13, twoIndexes);
set(0x14, 0x15, index);
set(0x18, 0x18, index);
set(0x19, 0x1b, none);
set(0x1c, 0x1c, typeList);
set(0x1f, 0x1f, tryTable);
set(0x20, 0x26, index);
set(0x28, 0x3e, memoryArgument);
set(0x3f, 0x42, index);
set(0x43, 0x43, fixed(4));
set(0x44, 0x44, fixed(8));
set(0x45, 0xc4, none);
set(0xd0, 0xd0, index);
set(0xd1, 0xd1, none);
set(0xd2, 0xd2, index);
set(0xd3, 0xd4, none);
set(0xd5, 0xd6, index);

const BULK_IMMEDIATES: readonly Immediates[] = [
  ...Array.from<Immediates>({ length: 8 }).fill(none),
  twoIndexes,
  index,
  twoIndexes,
  index,
  twoIndexes,
  index,
  twoIndexes,
  index,
  index,
  index,
];

function simd(op: number): Immediates {
  if (op <= 11 || op === 92 || op === 93) return memoryArgument;
  if (op === 12 || op === 13) return fixed(16);
  if (op >= 21 && op <= 34) return lane;
  if (op >= 84 && op <= 91) {
    return (reader) => {
      memoryArgument(reader);
      lane(reader);
    };
  }
  if (op <= 0x113) return none;
  throw new Malformed(`has an unknown vector instruction, ${op}`);
}

const ATOMIC_FENCE = 3;

/** Calls back for each instruction up to the reader's end, or until `ended`: where it begins, its opcode, and the second part of those that have one, or -1. */
export function walk(reader: Reader, visit: (from: number, op: number, sub: number) => void, ended = () => false): void {
  while (reader.at < reader.end && !ended()) {
    const from = reader.at;
    const op = reader.byte();
    let sub = -1;
    if (op >= OP.gc) {
      sub = reader.u32();
      immediatesOf(op, sub)(reader);
    } else {
      const immediates = PLAIN[op];
      if (!immediates) throw new Malformed(`has an unknown instruction, 0x${op.toString(16)}`);
      immediates(reader);
    }
    visit(from, op, sub);
  }
}

function immediatesOf(op: number, sub: number): Immediates {
  if (op === OP.simd) return simd(sub);
  if (op === OP.atomic) return sub === ATOMIC_FENCE ? lane : memoryArgument;
  const immediates = op === OP.bulk ? BULK_IMMEDIATES[sub] : undefined;
  if (!immediates) throw new Malformed(`has an unknown instruction, 0x${op.toString(16)} ${sub}`);
  return immediates;
}
