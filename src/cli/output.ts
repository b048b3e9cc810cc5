import { styleText } from 'node:util';
import type { HearthError } from '../kernel/mod.ts';

/** Results go to stdout, everything else to stderr: a pipe gets nothing but the result. */
export interface Output {
  readonly json: boolean;
  /** The result: `value` as one line of JSON with --json, else the text. */
  result(value: unknown, text: () => string): void;
  /** Bytes of a result as they are. */
  raw(bytes: string | Uint8Array): void;
  /** For people, on stderr; left out with --json. */
  note(text: string): void;
  warn(text: string): void;
  /** One line of JSON on stderr with --json, else the code, the message and the page that explains it. */
  error(error: HearthError): void;
  /** Waits for the work, and says what is being waited for once that takes longer than half a second. Only on a terminal. */
  progress<T>(what: string, work: Promise<T>): Promise<T>;
  /** Shows what is under way until the next call, where work leaves no time for `progress`; undefined: it is over. Only on a terminal. */
  step(what: string | undefined): void;
  /** Colours for stdout; plain text where that is no terminal, or with NO_COLOR. */
  readonly paint: Paint;
}

type Style = (text: string) => string;
export type Paint = { readonly bold: Style; readonly dim: Style; readonly green: Style; readonly yellow: Style; readonly red: Style };

const PROGRESS_AFTER_MS = 500;

export function createOutput({ json }: { readonly json: boolean }): Output {
  const paint = paintFor(process.stdout);
  const paintError = paintFor(process.stderr);
  const note = (text: string): void => {
    if (!json) process.stderr.write(`${text}\n`);
  };
  return {
    json,
    paint,
    result(value, text) {
      process.stdout.write(`${json ? JSON.stringify(value) : text()}\n`);
    },
    raw: (bytes) => void process.stdout.write(bytes),
    note,
    warn: (text) => note(`${paintError.yellow('warning')} ${text}`),
    error(error) {
      const docs = `docs/errors/${error.code}.md`;
      if (json) process.stderr.write(`${JSON.stringify({ error: { code: error.code, message: error.message, docs } })}\n`);
      else process.stderr.write(`${paintError.red('error')} ${error.code}: ${error.message}\n${paintError.dim(`  see ${docs}`)}\n`);
      if (process.env['HEARTH_DEBUG']) process.stderr.write(`${error.stack ?? ''}\n${causeOf(error)}`);
    },
    progress: (what, work) => (process.stderr.isTTY && !json ? showWhileWaiting(what, work) : work),
    step(what) {
      if (process.stderr.isTTY && !json) process.stderr.write(`\r\x1b[K${what === undefined ? '' : `${what} ...`}`);
    },
  };
}

function paintFor(stream: NodeJS.WriteStream): Paint {
  const style =
    (format: Parameters<typeof styleText>[0]): Style =>
    (text) =>
      // styleText looks at the stream, NO_COLOR and FORCE_COLOR itself.
      styleText(format, text, { stream });
  return { bold: style('bold'), dim: style('dim'), green: style('green'), yellow: style('yellow'), red: style('red') };
}

async function showWhileWaiting<T>(what: string, work: Promise<T>): Promise<T> {
  const startMs = performance.now();
  let shown = false;
  const timer = setInterval(() => {
    shown = true;
    process.stderr.write(`\r\x1b[K${what} ... ${((performance.now() - startMs) / 1000).toFixed(1)} s`);
  }, PROGRESS_AFTER_MS);
  try {
    return await work;
  } finally {
    clearInterval(timer);
    if (shown) process.stderr.write('\r\x1b[K');
  }
}

const causeOf = (error: HearthError): string =>
  error.cause instanceof Error ? `caused by ${error.cause.stack ?? error.cause.message}\n` : '';
