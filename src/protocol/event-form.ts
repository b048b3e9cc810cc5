/**
 * Events that are mostly alike: a form with blanks, and what goes into them. Whoever sends event after event of one form need not write,
 * and whoever receives them need not read, what is the same in all of them.
 */

/** Where a blank is: the keys to it, from the event down. */
export type Blank = { readonly path: readonly string[]; readonly as: BlankKind };

/** How the text that fills a blank is read: as itself, as a number, or as JSON. */
export type BlankKind = 'text' | 'number' | 'json';

/** What of the event's `body` is sent as bytes behind the texts: a text in UTF-8, or what becomes base64. */
export type BodyKind = 'none' | 'text' | 'base64';

/** Texts that every invocation of a form brings along, before those of its blanks: request id, deadline, ARN, trace. */
export const FORM_HEAD_TEXTS = 4;

let forms = 0;

/** One form. Two of them never have the same id. */
export class EventForm {
  /** Tells it from all others of this process, u32. */
  readonly id: number;
  /** `{"event":…,"blanks":[["path","as"],…],"body":…}`, in UTF-8. In the event each blank has a value already, of any kind. */
  readonly bytes: Buffer;
  readonly body: BodyKind;
  readonly #event: string;
  readonly #blanks: readonly Blank[];

  constructor(event: string, blanks: readonly Blank[], body: BodyKind) {
    this.id = forms = (forms + 1) >>> 0;
    this.#event = event;
    this.#blanks = blanks;
    this.body = body;
    const described = JSON.stringify(blanks.map(({ path, as }) => [path, as]));
    this.bytes = Buffer.from(`{"event":${event},"blanks":${described},"body":"${body}"}`);
  }

  fill(texts: readonly string[], body: Buffer | undefined): unknown {
    const event: unknown = JSON.parse(this.#event);
    this.#blanks.forEach(({ path, as }, i) => put(event, path, read(texts[i]!, as)));
    if (this.body !== 'none') put(event, ['body'], body!.toString(this.body === 'text' ? 'utf8' : 'base64'));
    return event;
  }
}

/** A form that is filled in. */
export class FormEvent {
  readonly form: EventForm;
  /** One for each blank, each ended by a newline, which none of them contains. Latin-1. */
  readonly texts: string;
  readonly body: Buffer | undefined;

  constructor(form: EventForm, texts: string, body: Buffer | undefined) {
    this.form = form;
    this.texts = texts;
    this.body = body;
  }

  /** No less than the event has as JSON, in bytes. */
  get mostBytes(): number {
    return this.form.bytes.length + this.texts.length * 2 + (this.body === undefined ? 0 : this.body.length * MOST_BYTES_PER_BYTE);
  }

  toJson(): string {
    return JSON.stringify(this.form.fill(this.texts.split('\n'), this.body));
  }
}

/** JSON, as text or in UTF-8, or a form that is filled in. */
export type EncodableEvent = string | Uint8Array | FormEvent;

/** The event as JSON, whatever it is encoded as. */
export const jsonOf = (event: EncodableEvent): string =>
  event instanceof FormEvent ? event.toJson() : Buffer.from(event as string).toString();

/** A control character in a text is written as six. */
const MOST_BYTES_PER_BYTE = 6;

function read(text: string, as: BlankKind): unknown {
  if (as === 'text') return text;
  return as === 'number' ? Number(text) : (JSON.parse(text) as unknown);
}

function put(event: unknown, path: readonly string[], value: unknown): void {
  let at = event as Record<string, unknown>;
  for (const key of path.slice(0, -1)) at = at[key] as Record<string, unknown>;
  at[path.at(-1)!] = value;
}
