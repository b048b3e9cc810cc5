import { createHash } from 'node:crypto';
import { appendFile, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode } from './durable.ts';

export type LogSpace = { readonly fileBytes: number; readonly filesPerFunction: number; readonly totalBytes: number };

type Files = {
  /** Sizes of the current file and of those rotated away, newest first. */
  bytes: number[];
  /** Whether the current file's size is known and it ends with a newline; not so at first, and after a write that failed. */
  sound: boolean;
};

/**
 * The log files of all functions in one directory, `NAME.log` and rotated `NAME.log.1` ..., within bounded space. Calls that
 * change the same function must not overlap; `makeRoom` must not overlap with anything.
 */
export class LogFiles {
  readonly #directory: string;
  readonly #space: LogSpace;
  /** By file name, the one written least recently first. */
  readonly #files = new Map<string, Files>();

  static async open(directory: string, space: LogSpace): Promise<LogFiles> {
    const files = new LogFiles(directory, space);
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await files.#scan();
    await files.makeRoom();
    return files;
  }

  private constructor(directory: string, space: LogSpace) {
    this.#directory = directory;
    this.#space = space;
  }

  /** Appends lines, each with its newline, rotating where they do not fit. */
  async append(functionName: string, lines: readonly string[]): Promise<void> {
    const name = fileName(functionName);
    const files = this.#files.get(name) ?? { bytes: [0], sound: false };
    this.#files.delete(name);
    this.#files.set(name, files);
    for (const part of parts(lines, this.#space.fileBytes)) {
      if (!files.sound) await this.#mend(name, files);
      if (files.bytes[0]! > 0 && files.bytes[0]! + part.length > this.#space.fileBytes) await this.#rotate(name, files);
      files.sound = false;
      await appendFile(this.#path(name, 0), part, { mode: 0o600 });
      files.sound = true;
      files.bytes[0]! += part.length;
    }
  }

  /** The function's files, newest first, open for reading; the caller closes them. */
  async openForReading(functionName: string): Promise<readonly FileHandle[]> {
    const name = fileName(functionName);
    const handles: FileHandle[] = [];
    for (const generation of this.#files.get(name)?.bytes.keys() ?? []) {
      try {
        handles.push(await open(this.#path(name, generation), 'r'));
      } catch (error) {
        if (hasCode(error, 'ENOENT')) continue;
        await Promise.all(handles.map((handle) => handle.close()));
        throw error;
      }
    }
    return handles;
  }

  /** Those of the functions that have files, the one written last first. */
  latestFirst(functionNames: Iterable<string>): readonly string[] {
    const byFile = new Map<string, string>();
    for (const functionName of functionNames) byFile.set(fileName(functionName), functionName);
    return [...this.#files.keys()].reverse().flatMap((name) => byFile.get(name) ?? []);
  }

  async delete(functionName: string): Promise<void> {
    const name = fileName(functionName);
    const generations = this.#files.get(name)?.bytes.length ?? 0;
    this.#files.delete(name);
    for (let generation = 0; generation < generations; generation++) await rm(this.#path(name, generation), { force: true });
  }

  /** Deletes files until all fit in the total space: of the functions that have been quiet for longest, the oldest first. */
  async makeRoom(): Promise<void> {
    let total = 0;
    for (const files of this.#files.values()) total += files.bytes.reduce((a, b) => a + b, 0);
    for (const [name, files] of this.#files) {
      while (total > this.#space.totalBytes && files.bytes.length > 0) {
        await rm(this.#path(name, files.bytes.length - 1), { force: true });
        total -= files.bytes.pop()!;
      }
      if (files.bytes.length === 0) this.#files.delete(name);
    }
  }

  async #scan(): Promise<void> {
    const found: { name: string; generation: number; bytes: number; timeMs: number }[] = [];
    for (const entry of await readdir(this.#directory)) {
      const match = /^(.+)\.log(?:\.(\d+))?$/.exec(entry);
      if (!match) continue;
      const { size, mtimeMs } = await stat(join(this.#directory, entry));
      found.push({ name: match[1]!, generation: Number(match[2] ?? 0), bytes: size, timeMs: mtimeMs });
    }
    // Oldest last within a function, quietest function first: the order in which makeRoom deletes.
    for (const { name, generation, bytes } of found.toSorted((a, b) => a.timeMs - b.timeMs)) {
      if (generation >= this.#space.filesPerFunction) {
        await rm(this.#path(name, generation), { force: true });
        continue;
      }
      const files = this.#files.get(name) ?? { bytes: [0], sound: false };
      while (files.bytes.length <= generation) files.bytes.push(0);
      files.bytes[generation] = bytes;
      this.#files.delete(name);
      this.#files.set(name, files);
    }
  }

  /** Learns the current file's true size, and ends a line that a crash or a full disk left torn. */
  async #mend(name: string, files: Files): Promise<void> {
    const file = await open(this.#path(name, 0), 'a+', 0o600);
    try {
      const { size } = await file.stat();
      files.bytes[0] = size;
      if (size > 0) {
        const { buffer } = await file.read(Buffer.alloc(1), 0, 1, size - 1);
        if (buffer[0] !== 0x0a) {
          await file.write('\n');
          files.bytes[0] += 1;
        }
      }
    } finally {
      await file.close();
    }
  }

  async #rotate(name: string, files: Files): Promise<void> {
    const kept = Math.min(files.bytes.length, this.#space.filesPerFunction - 1);
    if (kept === 0) await rm(this.#path(name, 0), { force: true });
    for (let generation = kept; generation > 0; generation--) {
      try {
        await rename(this.#path(name, generation - 1), this.#path(name, generation));
      } catch (error) {
        // Somebody cleaned up by hand.
        if (!hasCode(error, 'ENOENT')) throw error;
      }
    }
    files.bytes = [0, ...files.bytes.slice(0, kept)];
  }

  #path(name: string, generation: number): string {
    return join(this.#directory, generation === 0 ? `${name}.log` : `${name}.log.${generation}`);
  }
}

/**
 * A file name for any function name. Plain lower-case names are their own; others get a hash, behind a dot that no plain one has:
 * so neither `../x`, nor a name of 1,000 characters, nor `Hello` beside `hello` where the file system ignores case can do harm.
 */
export function fileName(functionName: string): string {
  if (/^[a-z0-9_-]{1,64}$/.test(functionName)) return functionName;
  const readable = functionName
    .toLowerCase()
    .replaceAll(/[^a-z0-9_-]/g, '_')
    .slice(0, 64);
  return `${readable}.${createHash('sha256').update(functionName).digest('hex').slice(0, 32)}`;
}

/** Lines as buffers of at most `maxBytes` each, where the lines allow it. */
function parts(lines: readonly string[], maxBytes: number): Buffer[] {
  const result: Buffer[] = [];
  let from = 0;
  let bytes = 0;
  for (const [index, line] of lines.entries()) {
    const length = Buffer.byteLength(line);
    if (bytes > 0 && bytes + length > maxBytes) {
      result.push(Buffer.from(lines.slice(from, index).join('')));
      from = index;
      bytes = 0;
    }
    bytes += length;
  }
  if (from < lines.length) result.push(Buffer.from(lines.slice(from).join('')));
  return result;
}
