/**
 * Makes of a module one whose state can be put back to what it was, so that one instance serves many invocations as if each had its own: a new
 * instance of V8's takes twenty times as long as putting a small one back. Two functions are added, which copy each global to a twin of its
 * own and back. And the memory's size becomes a global, since a memory never shrinks: what has grown is there already the next time it grows.
 */
import { Malformed, nameBytes, Reader, SECTION, u32, Writer } from './binary.ts';
import type { Section } from './binary.ts';
import type { Survey } from './survey.ts';

export const EXPORTS = {
  save: 'hearth:save',
  restore: 'hearth:restore',
  memory: 'hearth:memory',
  start: 'hearth:start',
  pages: 'hearth:pages',
} as const;

export type Instrumented = {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Where in the module as it was uploaded an offset in `bytes` lies. */
  readonly originalOffset: (offset: number) => number;
};

const I32 = 0x7f;
const MUTABLE = 1;
const END = 0x0b;
const MAGIC_AND_VERSION = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
const EXPORTED = { function: 0, memory: 2, global: 3 } as const;
const ORDER = [
  SECTION.type,
  SECTION.import,
  SECTION.function,
  SECTION.table,
  SECTION.memory,
  SECTION.tag,
  SECTION.global,
  SECTION.export,
  SECTION.start,
  SECTION.element,
  SECTION.dataCount,
  SECTION.code,
  SECTION.data,
];

/** The same module where the survey names an obstacle. In either case its memory has at most so many pages. Throws Malformed. */
export function instrument(bytes: Uint8Array, survey: Survey, mostPages: number): Instrumented {
  const plan = survey.obstacle === undefined ? planFor(survey) : undefined;
  const out = new Writer();
  const offsets = new Offsets();
  out.add(MAGIC_AND_VERSION);
  // Run once its memory can be seen, by whoever loads the module: what it calls would find none.
  const begin = startOf(bytes, survey);
  const added: Readonly<Record<number, readonly (readonly number[])[] | undefined>> = plan
    ? {
        [SECTION.type]: plan.types,
        [SECTION.function]: plan.functions,
        [SECTION.global]: plan.globals,
        [SECTION.export]: [...plan.exports, ...begin],
      }
    : { [SECTION.export]: begin };
  const byId = new Map(survey.sections.filter(({ id }) => id !== SECTION.custom).map((section) => [section.id, section]));
  for (const id of ORDER) {
    const section = byId.get(id);
    const entries = added[id];
    if (id === SECTION.code && plan) writeCode(out, bytes, survey, plan, offsets);
    else if (entries) out.section(id, extended(bytes, section, entries));
    else if (!section || id === SECTION.start) continue;
    else if (id === SECTION.memory) out.section(id, bounded(bytes, section, mostPages));
    else {
      const content = copied(bytes, section);
      if (id === SECTION.code) offsets.add(out.length + 1 + u32(content.length).length, section.from);
      out.section(id, content);
    }
  }
  // Names of functions among them: their numbers are what they were.
  for (const section of survey.sections) if (section.id === SECTION.custom) out.section(SECTION.custom, copied(bytes, section));
  return { bytes: out.bytes(), originalOffset: (offset) => offsets.original(offset) };
}

/** The same module, whose memories have at most so many pages. Throws Malformed and TooLarge. */
export function boundMemories(bytes: Uint8Array, sections: readonly Section[], mostPages: number): Uint8Array<ArrayBuffer> {
  const out = new Writer();
  out.add(MAGIC_AND_VERSION);
  for (const section of sections)
    out.section(section.id, section.id === SECTION.memory ? bounded(bytes, section, mostPages) : copied(bytes, section));
  return out.bytes();
}

/** What is added to each section, one encoded entry each. */
type Plan = {
  readonly types: readonly (readonly number[])[];
  readonly functions: readonly (readonly number[])[];
  readonly globals: readonly (readonly number[])[];
  readonly exports: readonly (readonly number[])[];
  readonly bodies: readonly (readonly number[])[];
  /** Undefined: the memory never grows. */
  readonly size: { readonly pages: number; readonly grow: number } | undefined;
};

function planFor(survey: Survey): Plan {
  const { types, functions, globals, mutableGlobals, memoryPages } = survey;
  const grows = memoryPages !== undefined && survey.sizeInstructions.some((instruction) => instruction.grows);
  const twins = mutableGlobals.map(({ index, type }, i) => ({ index, twin: globals + i, type: [...type] }));
  const pages = globals + twins.length;
  const pagesTwin = pages + 1;
  const [save, restore, grow] = [functions, functions + 1, functions + 2];
  const pairs = [...twins.map(({ index, twin }) => [index, twin] as const), ...(grows ? [[pages, pagesTwin] as const] : [])];
  const copy = (from: number, to: number): readonly number[] => [0x23, ...u32(from), 0x24, ...u32(to)];
  const pagesGlobal = [I32, MUTABLE, 0x41, ...signed(memoryPages ?? 0), END];
  return {
    types: [
      [0x60, 0, 0],
      [0x60, 1, I32, 1, I32],
    ],
    functions: [u32(types), u32(types), ...(grows ? [u32(types + 1)] : [])],
    globals: [...twins.map(({ type }) => [...type, MUTABLE, ...zeroOf(type), END]), ...(grows ? [pagesGlobal, pagesGlobal] : [])],
    exports: [
      [...nameBytes(EXPORTS.save), EXPORTED.function, ...u32(save)],
      [...nameBytes(EXPORTS.restore), EXPORTED.function, ...u32(restore)],
      ...(memoryPages === undefined ? [] : [[...nameBytes(EXPORTS.memory), EXPORTED.memory, 0]]),
      ...(grows ? [[...nameBytes(EXPORTS.pages), EXPORTED.global, ...u32(pages)]] : []),
    ],
    bodies: [
      [0, ...pairs.flatMap(([own, twin]) => copy(own, twin)), END],
      [0, ...pairs.flatMap(([own, twin]) => copy(twin, own)), END],
      ...(grows ? [growBody(pages)] : []),
    ],
    size: grows ? { pages, grow } : undefined,
  };
}

/** Not all type bytes are numbers: what is no number, nor a vector, is a reference. */
function zeroOf(type: readonly number[]): readonly number[] {
  switch (type[0]) {
    case 0x7f:
      return [0x41, 0];
    case 0x7e:
      return [0x42, 0];
    case 0x7d:
      return [0x43, 0, 0, 0, 0];
    case 0x7c:
      return [0x44, 0, 0, 0, 0, 0, 0, 0, 0];
    case 0x7b:
      return [0xfd, 12, ...Array.from({ length: 16 }, () => 0)];
    default:
      // `(ref null heap)` names its heap type; the others are abbreviations, and their own heap type.
      return [0xd0, ...(type[0] === 0x63 ? type.slice(1) : type)];
  }
}

/** In up to 32 bits, as i32.const has it. */
function signed(value: number): readonly number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 64) return [...bytes, rest];
    bytes.push((rest % 128) | 0x80);
  }
}

const MOST_PAGES = 65_536;
const BLOCK = 0x40;

/** (n) -> the pages before, or -1. The real memory grows only by what is not there from earlier. */
function growBody(pages: number): readonly number[] {
  const getPages = [0x23, ...u32(pages)];
  const [n, sum] = [
    [0x20, 0],
    [0x20, 1],
  ] as const;
  const minusOne = [0x41, 0x7f];
  const fail = [0x04, BLOCK, ...minusOne, 0x0f, END];
  const size = [0x3f, 0];
  return [
    ...[1, 1, I32],
    // More than there can be: below, numbers of 32 bits do not overflow.
    ...[...n, 0x41, ...signed(MOST_PAGES), 0x4b, ...fail],
    ...[...n, ...getPages, 0x6a, 0x21, 1],
    ...[...sum, ...size, 0x4b, 0x04, BLOCK],
    ...[...sum, ...size, 0x6b, 0x40, 0, ...minusOne, 0x46, ...fail],
    END,
    ...[...getPages, ...sum, 0x24, ...u32(pages)],
    END,
  ];
}

/** The start function, as an export. */
function startOf(bytes: Uint8Array, { sections }: Survey): readonly (readonly number[])[] {
  const section = sections.find(({ id }) => id === SECTION.start);
  if (!section) return [];
  return [[...nameBytes(EXPORTS.start), EXPORTED.function, ...u32(new Reader(bytes, section.from, section.to).u32())]];
}

const KNOWN_LIMITS = 7;
const HAS_MAXIMUM = 1;

/** The section of memories, each with no more pages than it may have. */
function bounded(bytes: Uint8Array, { from, to }: Section, mostPages: number): Writer {
  const out = new Writer();
  const reader = new Reader(bytes, from, to);
  const count = reader.u32();
  out.add(u32(count));
  for (let i = 0; i < count; i++) {
    const flags = reader.byte();
    if ((flags & ~KNOWN_LIMITS) !== 0) throw new Malformed('has a memory of a kind that is not known');
    const initial = reader.size();
    const maximum = (flags & HAS_MAXIMUM) !== 0 ? reader.size() : Infinity;
    if (initial > mostPages) throw new TooLarge(initial, mostPages);
    out.add([flags | HAS_MAXIMUM, ...u32(initial), ...u32(Math.min(maximum, mostPages))]);
  }
  return out;
}

/** The module asks for more memory than there is for it, in pages. */
export class TooLarge extends Error {
  readonly pages: number;
  readonly mostPages: number;
  constructor(pages: number, mostPages: number) {
    super(`asks for a memory of ${pages} pages`);
    this.pages = pages;
    this.mostPages = mostPages;
  }
}

function copied(bytes: Uint8Array, { from, to }: Section): Writer {
  const out = new Writer();
  out.add(bytes.subarray(from, to));
  return out;
}

/** A section of a vector, with entries behind those it has. */
function extended(bytes: Uint8Array, section: Section | undefined, entries: readonly (readonly number[])[]): Writer {
  const out = new Writer();
  const reader = section && new Reader(bytes, section.from, section.to);
  out.add(u32((reader?.u32() ?? 0) + entries.length));
  if (reader) out.add(bytes.subarray(reader.at, reader.end));
  for (const entry of entries) out.add(entry);
  return out;
}

function writeCode(out: Writer, bytes: Uint8Array, { bodies, sizeInstructions }: Survey, plan: Plan, offsets: Offsets): void {
  const content = new Writer();
  content.add(u32(bodies.length + plan.bodies.length));
  const moved: { readonly within: number; readonly original: number }[] = [];
  let next = 0;
  bodies.forEach(({ start, to }, i) => {
    const edits = [];
    for (; sizeInstructions[next]?.body === i; next++) if (plan.size) edits.push(sizeInstructions[next]!);
    const pieces: (Uint8Array | readonly number[])[] = [];
    const marks: { readonly within: number; readonly original: number }[] = [{ within: 0, original: start }];
    let at = start;
    let length = 0;
    for (const edit of edits) {
      const replacement = edit.grows ? [0x10, ...u32(plan.size!.grow)] : [0x23, ...u32(plan.size!.pages)];
      pieces.push(bytes.subarray(at, edit.from), replacement);
      length += edit.from - at + replacement.length;
      at = edit.to;
      marks.push({ within: length, original: at });
    }
    pieces.push(bytes.subarray(at, to));
    content.add(u32(length + to - at));
    for (const { within, original } of marks) moved.push({ within: content.length + within, original });
    for (const piece of pieces) content.add(piece);
  });
  for (const body of plan.bodies) {
    content.add(u32(body.length));
    content.add(body);
  }
  const head = 1 + u32(content.length).length;
  for (const { within, original } of moved) offsets.add(out.length + head + within, original);
  out.section(SECTION.code, content);
}

/** Where pieces of code came from, in the order of where they are now. */
class Offsets {
  readonly #now: number[] = [];
  readonly #before: number[] = [];

  add(now: number, before: number): void {
    this.#now.push(now);
    this.#before.push(before);
  }

  original(offset: number): number {
    const i = this.#now.findLastIndex((from) => from <= offset);
    return i < 0 ? offset : this.#before[i]! + offset - this.#now[i]!;
  }
}
