/**
 * Invocations whose events are forms that are filled in (src/protocol/event-form.ts says what a form is). A form is parsed once; each event is
 * a copy of it, with its own texts in the blanks.
 */
import { readUint32 } from '../ladder/uint32.ts';
import { uncurry } from '../ladder/uncurry.ts';
import type { Channel } from './channel.ts';
import type { InvokeHead } from './context.ts';

type Values = { [key: string]: unknown };
/** An object of the form, and where its copy goes: into the copy of an earlier one. */
type Part = { readonly source: Values; readonly isList: boolean; readonly into: number; readonly key: string };
type Blank = { readonly part: number; readonly key: string; readonly as: string };
type Form = { readonly parts: readonly Part[]; readonly blanks: readonly Blank[]; readonly body: string };
type Described = { readonly event: Values; readonly blanks: readonly [readonly string[], string][]; readonly body: string };

const { parse } = JSON;
const toNumber: (value: unknown) => number = Number;
const { isArray } = Array;
const { keys } = Object;
const { Map: NativeMap } = globalThis;
const get = uncurry<Map<number, Form>, [number], Form | undefined>(Map.prototype.get);
const set = uncurry<Map<number, Form>, [number, Form], unknown>(Map.prototype.set);
const clear = uncurry<Map<number, Form>, [], void>(Map.prototype.clear);
const indexOf = uncurry<string, [string, number], number>(String.prototype.indexOf);
const slice = uncurry<string, [number, number], string>(String.prototype.slice);

/** Forms come and go with the clients; those that still do are known again with the next event. */
const MOST_KNOWN = 128;
const HEAD_BYTES = 12;
const ROOT = -1;

export class Forms {
  readonly #known = new NativeMap<number, Form>();
  #count = 0;
  #text = '';
  #at = 0;

  /** What the channel's current frame says. */
  read(channel: Channel): { readonly head: InvokeHead; readonly event: unknown } {
    const { buffer, from, to } = channel;
    const formAt = from + HEAD_BYTES;
    const textAt = formAt + readUint32(buffer, from + 4);
    const bodyAt = textAt + readUint32(buffer, from + 8);
    const form = this.#form(readUint32(buffer, from), channel, formAt, textAt);
    this.#text = channel.latin1(textAt, bodyAt);
    this.#at = 0;
    const id = this.#next();
    const deadlineMs = toNumber(this.#next());
    const arn = this.#next();
    const trace = this.#next();
    const head: InvokeHead = trace === '' ? { id, deadlineMs, arn } : { id, deadlineMs, arn, trace };
    const event = this.#fill(form);
    if (form.body === 'text') event['body'] = channel.text(bodyAt, to);
    else if (form.body === 'base64') event['body'] = channel.base64(bodyAt, to);
    return { head, event };
  }

  #fill({ parts, blanks }: Form): Values {
    const copies: Values[] = [];
    for (let i = 0; i < parts.length; i++) {
      const { source, isList, into, key } = parts[i]!;
      const copy = isList ? (copyList(source as unknown as unknown[]) as unknown as Values) : copyAt(i, source);
      copies[i] = copy;
      if (into !== ROOT) copies[into]![key] = copy;
    }
    for (let i = 0; i < blanks.length; i++) {
      const { part, key, as } = blanks[i]!;
      const text = this.#next();
      copies[part]![key] = as === 'text' ? text : as === 'number' ? toNumber(text) : parse(text);
    }
    return copies[0]!;
  }

  #next(): string {
    const end = indexOf(this.#text, '\n', this.#at);
    const text = slice(this.#text, this.#at, end);
    this.#at = end + 1;
    return text;
  }

  #form(id: number, channel: Channel, from: number, to: number): Form {
    const known = get(this.#known, id);
    if (known) return known;
    if (++this.#count > MOST_KNOWN) {
      clear(this.#known);
      this.#count = 1;
    }
    const form = readForm(parse(channel.text(from, to)) as Described);
    set(this.#known, id, form);
    return form;
  }
}

/**
 * In a place of its own in the code for each of the first parts: V8 copies quickly where it has seen few shapes. Those of function URLs are
 * the event, its headers, its request context, and what that says of HTTP.
 */
function copyAt(index: number, source: Values): Values {
  switch (index) {
    case 0:
      return { ...source };
    case 1:
      return { ...source };
    case 2:
      return { ...source };
    case 3:
      return { ...source };
    default:
      return { ...source };
  }
}

function readForm({ event, blanks, body }: Described): Form {
  const parts: Part[] = [];
  addParts(parts, event, ROOT, '');
  const read: Blank[] = [];
  for (let i = 0; i < blanks.length; i++) {
    const { 0: path, 1: as } = blanks[i]!;
    const last = path.length - 1;
    read[i] = { part: partAt(parts, event, path, last), key: path[last]!, as };
  }
  return { parts, blanks: read, body };
}

function addParts(parts: Part[], source: Values, into: number, key: string): void {
  const index = parts.length;
  parts[index] = { source, isList: isArray(source), into, key };
  const names = keys(source);
  for (let i = 0; i < names.length; i++) {
    const name = names[i]!;
    const value = source[name];
    if (typeof value === 'object' && value !== null) addParts(parts, value as Values, index, name);
  }
}

function partAt(parts: readonly Part[], event: Values, path: readonly string[], depth: number): number {
  let source = event;
  for (let i = 0; i < depth; i++) source = source[path[i]!] as Values;
  for (let i = 0; i < parts.length; i++) if (parts[i]!.source === source) return i;
  throw new Error('a form has no such place');
}

function copyList(list: readonly unknown[]): unknown[] {
  const copy: unknown[] = [];
  for (let i = 0; i < list.length; i++) copy[i] = list[i];
  return copy;
}
