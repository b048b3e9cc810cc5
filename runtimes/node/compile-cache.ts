/**
 * V8's compile cache of a function version: what V8 compiled for the version's first template is given to those after it, so that they need
 * not compile it again. The host keeps it as bytes that it does not look into; it goes to sandboxes of the same version only, since V8
 * believes what it says. Node reads and writes it as files: in a directory that init sees and instances don't.
 */
import {
  existsSync,
  fstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { enableCompileCache, flushCompileCache } from 'node:module';
import { basename, dirname, join, resolve } from 'node:path';

/** What is smaller is compiled faster than a cache is opened. */
const WORTH_BYTES = 100_000;
const MAX_BYTES = 8 * 1024 * 1024 - 1024;
const HEAD_BYTES = 8;
/** Where layers have what is for Node. */
const LAYERS = '/opt/nodejs';
/** As Node names them: the hash of a module's path, in hexadecimal. */
const NAME_BYTES = 8;

export type CompileCache = {
  /** What V8 has compiled by now, for the host; undefined: it has that already, or there is too much or nothing. Nothing of it is left here. */
  finish(): Uint8Array | undefined;
};

export type CompileCacheOptions = {
  readonly taskRoot: string;
  readonly handler: string;
  /** A descriptor of what `finish` returned for this version, to be read; absent: there is nothing yet. It stays open. */
  readonly stored: number | undefined;
  /** The directory for Node's files, in which they get a directory of their own. */
  readonly directory: string;
};

/** Once, before the function's module is loaded. Undefined where it would not pay, or cannot be. */
export function openCompileCache({ taskRoot, handler, stored, directory }: CompileCacheOptions): CompileCache | undefined {
  if (stored === undefined && !isLarge(taskRoot, handler)) return undefined;
  try {
    const own = mkdtempSync(join(directory, '.compile-cache-'));
    enableCompileCache(own);
    // Named for the version of Node, of V8 and its flags, and the user.
    const [name] = readdirSync(own);
    if (name === undefined) return forget(own);
    if (stored !== undefined) unpack(readWhole(stored), join(own, name));
    return { finish: () => finish(own, join(own, name), stored === undefined) };
  } catch {
    // Without it init takes longer.
    return undefined;
  }
}

/** Many modules count as large: one is not, and looking at all would take as long as it could save. */
function isLarge(taskRoot: string, handler: string): boolean {
  if (existsSync(join(taskRoot, 'node_modules')) || existsSync(LAYERS)) return true;
  const [file] = basename(handler).split('.', 1);
  const base = resolve(taskRoot, dirname(handler), file!);
  return ['.js', '.mjs', '.cjs'].some((extension) => (statSync(base + extension, { throwIfNoEntry: false })?.size ?? 0) >= WORTH_BYTES);
}

function finish(own: string, files: string, wanted: boolean): Uint8Array | undefined {
  try {
    if (!wanted) return forget(own);
    flushCompileCache();
    const packed = pack(files);
    forget(own);
    return packed;
  } catch {
    // The function has filled the disk, or changed what this needs.
    return undefined;
  }
}

function forget(own: string): undefined {
  rmSync(own, { recursive: true, force: true });
}

/** Of each file its name, its size (u32, little-endian and the same again, negated, so that a torn file is noticed) and its bytes. */
function pack(directory: string): Uint8Array | undefined {
  const parts: Buffer[] = [];
  let size = 0;
  for (const name of readdirSync(directory)) {
    if (!/^[0-9a-f]{8}$/.test(name)) continue;
    const bytes = readFileSync(join(directory, name));
    const head = Buffer.alloc(HEAD_BYTES);
    head.writeUInt32LE(bytes.length, 0);
    head.writeUInt32LE(~bytes.length >>> 0, 4);
    parts.push(Buffer.from(name, 'latin1'), head, bytes);
    size += NAME_BYTES + HEAD_BYTES + bytes.length;
    if (size > MAX_BYTES) return undefined;
  }
  return size === 0 ? undefined : Buffer.concat(parts, size);
}

function unpack(packed: Buffer, directory: string): void {
  mkdirSync(directory, { recursive: true });
  for (let at = 0; at + NAME_BYTES + HEAD_BYTES <= packed.length;) {
    const name = packed.toString('latin1', at, at + NAME_BYTES);
    const size = packed.readUInt32LE(at + NAME_BYTES);
    const from = at + NAME_BYTES + HEAD_BYTES;
    if (!/^[0-9a-f]{8}$/.test(name) || packed.readUInt32LE(from - 4) !== ~size >>> 0 || from + size > packed.length) return;
    writeFileSync(join(directory, name), packed.subarray(from, from + size));
    at = from + size;
  }
}

function readWhole(fd: number): Buffer {
  const bytes = Buffer.allocUnsafeSlow(fstatSync(fd).size);
  let got = 0;
  while (got < bytes.length) {
    const count = readSync(fd, bytes, got, bytes.length - got, got);
    if (count === 0) break;
    got += count;
  }
  return bytes.subarray(0, got);
}
