/**
 * How deep JSON nests, found out before it is parsed: V8 takes seconds for a few MiB of brackets, during which nobody else is served.
 * The limit is that of Lambda's own parser.
 */
export const JSON_DEPTH = 1_000;

export function nestsTooDeep(json: Buffer): boolean {
  if (json.length <= JSON_DEPTH || !hasManyBrackets(json)) return false;
  let depth = 0;
  for (let at = 0; at < json.length; at++) {
    const byte = json[at];
    if (byte === QUOTE) at = endOfString(json, at + 1);
    else if (byte === OPEN_BRACKET || byte === OPEN_BRACE) {
      if (++depth > JSON_DEPTH) return true;
    } else if (byte === CLOSE_BRACKET || byte === CLOSE_BRACE) depth--;
  }
  return false;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** Most JSON has few: that is seen without looking at each byte. */
function hasManyBrackets(json: Buffer): boolean {
  let count = 0;
  for (const byte of [OPEN_BRACKET, OPEN_BRACE]) {
    for (let at = json.indexOf(byte); at !== -1; at = json.indexOf(byte, at + 1)) if (++count > JSON_DEPTH) return true;
  }
  return false;
}

/** Where the string ends that has begun before `from`. */
function endOfString(json: Buffer, from: number): number {
  for (let at = from; at < json.length; at++) {
    if (json[at] === BACKSLASH) at++;
    else if (json[at] === QUOTE) return at;
  }
  return json.length;
}

const PLAIN = /^[\w$:;=,./ -]*$/;

/** A JSON string. What needs no escapes, as ids and the like, is found to be so sooner than it is escaped. */
export const quoted = (text: string): string => (PLAIN.test(text) ? `"${text}"` : JSON.stringify(text));
