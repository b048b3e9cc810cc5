/** What a module consists of, as far as that must be known to put its state back: the index spaces, and which of its instructions change what. */
import { Malformed, Reader, SECTION } from './binary.ts';
import type { Section } from './binary.ts';
import { BULK, OP, REF, skipValueType, TABLE_SET, walk } from './instructions.ts';

export type GlobalType = { readonly index: number; readonly type: Uint8Array };
/** `from`: where its instructions begin, behind the locals. */
export type Body = { readonly start: number; readonly from: number; readonly to: number };
/** An instruction on the size of the memory. */
export type SizeInstruction = { readonly body: number; readonly from: number; readonly to: number; readonly grows: boolean };

export type Survey = {
  readonly sections: readonly Section[];
  readonly types: number;
  /** Imported ones included. */
  readonly functions: number;
  readonly globals: number;
  readonly mutableGlobals: readonly GlobalType[];
  readonly exports: ReadonlySet<string>;
  readonly memoryPages: number | undefined;
  readonly bodies: readonly Body[];
  readonly sizeInstructions: readonly SizeInstruction[];
  /** Why its state can't be put back; undefined: it can. */
  readonly obstacle: string | undefined;
};

const FUNC_TYPE = 0x60;
const KIND = { function: 0, table: 1, memory: 2, global: 3, tag: 4 } as const;
const HAS_MAXIMUM = 1;
const SHARED = 2;

/** Throws Malformed. */
// oxlint-disable-next-line max-lines-per-function -- one pass over the sections, each of which is one case
export function survey(bytes: Uint8Array, sections: readonly Section[]): Survey {
  let types = 0;
  let functions = 0;
  let globals = 0;
  let memories = 0;
  let memoryPages: number | undefined;
  let obstacle: string | undefined;
  const mutableGlobals: GlobalType[] = [];
  const exports = new Set<string>();
  const bodies: Body[] = [];
  const sizeInstructions: SizeInstruction[] = [];
  const hinder = (why: string): void => {
    obstacle ??= why;
  };

  const readMemory = (reader: Reader): void => {
    const flags = reader.byte();
    if ((flags & SHARED) !== 0) hinder('its memory is shared');
    if ((flags & ~(HAS_MAXIMUM | SHARED)) !== 0) hinder('its memory has addresses of 64 bits, or pages of another size');
    const pages = reader.u32();
    if ((flags & HAS_MAXIMUM) !== 0) reader.skipNumber();
    if (++memories > 1) hinder('it has several memories');
    memoryPages = pages;
  };
  const readImports = (reader: Reader): void => {
    for (let count = reader.u32(); count > 0; count--) {
      reader.name();
      reader.name();
      const kind = reader.byte();
      if (kind === KIND.function) {
        reader.skipNumber();
        functions++;
      } else if (kind === KIND.global) {
        skipValueType(reader);
        if (reader.byte() === 1) hinder('it imports a global that changes');
        globals++;
      } else if (kind === KIND.memory) {
        readMemory(reader);
        hinder('it imports its memory');
      } else {
        hinder('it imports a table or a tag');
        return;
      }
    }
  };
  const readTypes = (reader: Reader): void => {
    types = reader.u32();
    // Others than functions are objects on V8's heap, whose state nobody else can see.
    for (let i = 0; i < types; i++) {
      if (reader.byte() !== FUNC_TYPE) return hinder('it has types of collected objects, or types that refer to each other');
      for (let list = 0; list < 2; list++) for (let count = reader.u32(); count > 0; count--) skipValueType(reader);
    }
  };
  const readGlobals = (reader: Reader): void => {
    for (let count = reader.u32(); count > 0; count--, globals++) {
      const from = reader.at;
      const first = reader.byte();
      reader.at = from;
      skipValueType(reader);
      const type = bytes.subarray(from, reader.at);
      if (reader.byte() === 1) {
        if (first === REF) hinder('it has a global that is never null');
        mutableGlobals.push({ index: globals, type });
      }
      skipExpression(reader);
    }
  };
  const readExports = (reader: Reader): void => {
    for (let count = reader.u32(); count > 0; count--) {
      exports.add(reader.name());
      reader.byte();
      reader.skipNumber();
    }
  };
  const readCode = (reader: Reader): void => {
    for (let count = reader.u32(); count > 0; count--) {
      const size = reader.u32();
      const start = reader.at;
      reader.skip(size);
      const inner = new Reader(bytes, start, reader.at);
      for (let locals = inner.u32(); locals > 0; locals--) {
        inner.skipNumber();
        skipValueType(inner);
      }
      bodies.push({ start, from: inner.at, to: reader.at });
      walk(inner, (from, op, sub) => {
        if (op === OP.memorySize || op === OP.memoryGrow) {
          sizeInstructions.push({ body: bodies.length - 1, from, to: inner.at, grows: op === OP.memoryGrow });
        } else if (op === TABLE_SET || (op === OP.bulk && CHANGES_TABLES.has(sub))) hinder('it changes its tables');
        else if (op === OP.bulk && (sub === BULK.dataDrop || sub === BULK.elemDrop)) hinder('it drops data');
      });
    }
  };

  const readers: Readonly<Record<number, (reader: Reader) => void>> = {
    [SECTION.type]: readTypes,
    [SECTION.import]: readImports,
    [SECTION.memory]: (reader) => {
      for (let count = reader.u32(); count > 0; count--) readMemory(reader);
    },
    [SECTION.function]: (reader) => {
      functions += reader.u32();
    },
    [SECTION.global]: readGlobals,
    [SECTION.export]: readExports,
    [SECTION.code]: readCode,
  };
  try {
    for (const { id, from, to } of sections) if (obstacle === undefined) readers[id]?.(new Reader(bytes, from, to));
  } catch (error) {
    // V8 knows more than is known here: whether the module is right, it says.
    if (!(error instanceof Malformed)) throw error;
    hinder(`it ${error.message}`);
  }
  return { sections, types, functions, globals, mutableGlobals, exports, memoryPages, bodies, sizeInstructions, obstacle };
}

const CHANGES_TABLES = new Set<number>([BULK.tableInit, BULK.tableCopy, BULK.tableGrow, BULK.tableFill]);

const END = 0x0b;

/** A constant expression: it has no blocks, so the first end is its own. */
function skipExpression(reader: Reader): void {
  let ended = false;
  walk(
    reader,
    (_, op) => {
      ended = op === END;
    },
    () => ended,
  );
}
