/**
 * Reads JavaScript and TypeScript source as far as tidy needs it: which characters are code, and what is imported. A scanner of one
 * pass, no parser: comments, strings, template texts and regular expressions are recognised, so that what they say is not taken for code.
 */
export type Source = {
  readonly path: string;
  readonly text: string;
  /** The text with everything that is not code replaced by spaces; offsets and lines stay. Quotes stay, too. */
  readonly code: string;
  readonly imports: readonly Import[];
};

export type Import = { readonly specifier: string; readonly line: number; readonly typeOnly: boolean };

export function readSource(path: string, text: string): Source {
  const code = maskNonCode(text);
  return { path, text, code, imports: findImports(text, code) };
}

export function lineAt(text: string, offset: number): number {
  let line = 1;
  for (let at = text.indexOf('\n'); at !== -1 && at < offset; at = text.indexOf('\n', at + 1)) line += 1;
  return line;
}

const IMPORT =
  /(?<![\w$.])(?:(?:import|export)\s+(?<type>type\s)?(?<clause>[\w$\s{},*]*?)\s*from\s*|import\s*\(?\s*|require(?:\.resolve)?\s*\(\s*)(?<quote>['"`])/g;

function findImports(text: string, code: string): Import[] {
  const found: Import[] = [];
  for (const match of code.matchAll(IMPORT)) {
    const start = match.index + match[0].length;
    const end = code.indexOf(match.groups!['quote']!, start);
    if (end === -1) continue;
    const names = /^\{(.*)\}$/s
      .exec((match.groups!['clause'] ?? '').trim())?.[1]
      ?.split(',')
      .filter((name) => name.trim());
    const typeOnly = match.groups!['type'] !== undefined || (names !== undefined && names.every((name) => /^\s*type\s/.test(name)));
    found.push({ specifier: text.slice(start, end), line: lineAt(text, match.index), typeOnly: typeOnly && names?.length !== 0 });
  }
  return found;
}

export function maskNonCode(text: string): string {
  const out = text.split('');
  const blank = (from: number, to: number) => {
    for (let i = from; i < to; i++) if (out[i] !== '\n') out[i] = ' ';
  };
  /** Depth of braces at which each open template expression ends. */
  const templates: number[] = [];
  let depth = 0;
  /** The last character of code that was not a space: decides whether `/` divides or begins a regular expression. */
  let last = '';
  let at = text.startsWith('#!') ? endOfLine(text, 0) : 0;
  blank(0, at);
  while (at < text.length) {
    const two = text.slice(at, at + 2);
    const one = text[at]!;
    let end = at + 1;
    if (two === '//') {
      end = endOfLine(text, at);
      blank(at, end);
    } else if (two === '/*') {
      const close = text.indexOf('*/', at + 2);
      end = close === -1 ? text.length : close + 2;
      blank(at, end);
    } else if (one === "'" || one === '"') {
      end = endOfQuoted(text, at, one);
      blank(at + 1, end - 1);
      last = one;
    } else if (one === '`' || (one === '}' && templates.at(-1) === depth)) {
      if (one === '}') templates.pop();
      end = endOfTemplateText(text, at + 1);
      const opens = text[end - 1] === '{';
      blank(at + 1, opens ? end - 2 : end - 1);
      if (opens) templates.push(depth);
      last = opens ? '{' : '`';
    } else if (one === '/' && regexMayFollow(last, text.slice(Math.max(0, at - 12), at))) {
      end = endOfRegex(text, at);
      blank(at + 1, end - 1);
      last = '/';
    } else {
      if (one === '{') depth += 1;
      if (one === '}') depth -= 1;
      if (one.trim()) last = one;
    }
    at = end;
  }
  return out.join('');
}

function endOfLine(text: string, from: number): number {
  const newline = text.indexOf('\n', from);
  return newline === -1 ? text.length : newline;
}

function endOfQuoted(text: string, from: number, quote: string): number {
  for (let at = from + 1; at < text.length; at++) {
    if (text[at] === '\\') at += 1;
    else if (text[at] === quote || text[at] === '\n') return at + 1;
  }
  return text.length;
}

/** Just after the closing backtick, or after the `${` that interrupts the text. */
function endOfTemplateText(text: string, from: number): number {
  for (let at = from; at < text.length; at++) {
    if (text[at] === '\\') at += 1;
    else if (text[at] === '`') return at + 1;
    else if (text[at] === '$' && text[at + 1] === '{') return at + 2;
  }
  return text.length;
}

function endOfRegex(text: string, from: number): number {
  let inClass = false;
  for (let at = from + 1; at < text.length && text[at] !== '\n'; at++) {
    if (text[at] === '\\') at += 1;
    else if (text[at] === '[') inClass = true;
    else if (text[at] === ']') inClass = false;
    else if (text[at] === '/' && !inClass) return at + 1;
  }
  // No end on its line: it was a division after all.
  return from + 1;
}

function regexMayFollow(last: string, before: string): boolean {
  if (last === '' || '(,=:[!&|?{};+-*%<>~^'.includes(last)) return true;
  return /(?:^|[^\w$.])(?:return|typeof|case|in|of|void|throw|new|delete|do|else|await|yield)\s*$/.test(before);
}
