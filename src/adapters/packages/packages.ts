/**
 * Deployment packages, unpacked: `<directory>/<sha256>` holds the files of the zip with that hash, whole or not at all.
 *
 * A package is unpacked beside its place and renamed into it, so a killed process leaves at most a `.new-` directory, which the next
 * start removes. Beside it may lie what was compiled from it, in `<sha256>.compiled`, which goes with it. Nothing is fsynced: the directory is a cache of the blobs. What a power cut could have torn is recognised by the
 * machine's boot id, kept beside the packages: after a reboot, and where there is no boot id, the cache starts empty.
 */
import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { HearthError } from '../../kernel/mod.ts';
import type { Blobs } from '../../ports/mod.ts';
import { translateComponents } from './component.ts';
import { measureZip, unpackZip } from './unpack.ts';
import { convertTexts, measureModule, unpackModule } from './wat.ts';

export interface Packages {
  /**
   * The directory with the files of the zip stored as blob `sha256`; unpacks it if need be. Several calls for one hash share the work.
   * Also of a WebAssembly module without a zip around it: `module.wasm`. `zip`: that zip, from a caller that has it; then the blob need not be there yet.
   * Throws HearthError `InvalidParameterValueException` (a zip that cannot or must not be unpacked), `BlobNotFound`, `BlobDamaged`.
   */
  unpack(sha256: string, zip?: Uint8Array): Promise<{ readonly directory: string }>;
  /** The bytes that the files of that zip have, unpacked or not. Arguments and errors are those of `unpack`. */
  measure(sha256: string, zip?: Uint8Array): Promise<number>;
  /**
   * Removes the files, not the blob. No error when they are not there. The caller knows that no sandbox uses them any more. What is
   * called for the same package afterwards finds it gone, and `unpack` unpacks it anew.
   */
  delete(sha256: string): Promise<void>;
  /** The hashes of all unpacked packages, for removing those nobody refers to. */
  list(): Promise<readonly string[]>;
  /** Waits for what is being unpacked or removed. */
  close(): Promise<void>;
}

/** `bootId` names this run of the machine; default: the kernel's. Undefined: unknown. */
export type PackagesOptions = {
  readonly directory: string;
  readonly blobs: Blobs;
  readonly bootId?: () => Promise<string | undefined>;
};

export async function openPackages({ directory, blobs, bootId = kernelBootId }: PackagesOptions): Promise<Packages> {
  await mkdir(directory, { recursive: true });
  await chmod(directory, 0o755);
  const removals = new Set<Promise<void>>();
  const remove = (path: string): void => {
    const removal = rm(path, { recursive: true, force: true }).finally(() => removals.delete(removal));
    removals.add(removal);
    // Kept for `close`, which reports it; until then a failed removal only costs space.
    removal.catch(() => undefined);
  };
  for (const path of await discardStale(directory, await bootId())) remove(path);

  /** Of packages that have been unpacked or measured since the start. */
  const sizes = new Map<string, number>();
  /** The last operation on each package: they come one after the other; calls to unpack that follow each other are one. */
  const turns = new Map<string, { readonly unpacking?: Promise<{ directory: string }>; readonly done: Promise<unknown> }>();

  function inTurn<T>(
    sha256: string,
    operation: () => Promise<T>,
    kind: (work: Promise<T>) => { unpacking?: Promise<{ directory: string }> },
  ): Promise<T> {
    const before = turns.get(sha256)?.done;
    const work = before ? before.then(operation, operation) : operation();
    const turn = { ...kind(work), done: work };
    const forget = () => {
      if (turns.get(sha256) === turn) turns.delete(sha256);
    };
    turns.set(sha256, turn);
    work.then(forget, forget);
    return work;
  }

  async function unpackInto(target: string, sha256: string, given: Uint8Array | undefined): Promise<{ directory: string }> {
    if (await isDirectory(target)) return { directory: target };
    const zip = given ? bufferOf(given) : await blobs.get(sha256);
    const fresh = await mkdtemp(join(directory, '.new-'));
    try {
      const module = await unpackModule(zip, fresh);
      const { bytes } = module ?? (await unpackZip(zip, fresh));
      if (!module) await convertTexts(fresh);
      await translateComponents(fresh, module !== undefined);
      sizes.set(sha256, bytes);
      await chmod(fresh, 0o755);
      await rename(fresh, target);
    } catch (error) {
      remove(fresh);
      throw error;
    }
    return { directory: target };
  }

  return {
    unpack(sha256, zip) {
      if (!/^[0-9a-f]{64}$/.test(sha256)) return Promise.reject(new HearthError('Internal', `not a SHA-256 in hexadecimal: ${sha256}`));
      return (
        turns.get(sha256)?.unpacking ??
        inTurn(
          sha256,
          () => unpackInto(join(directory, sha256), sha256, zip),
          (unpacking) => ({ unpacking }),
        )
      );
    },
    async measure(sha256, zip) {
      const known = sizes.get(sha256);
      if (known !== undefined) return known;
      const stored = zip ? bufferOf(zip) : await blobs.get(sha256);
      const { bytes } = measureModule(stored) ?? (await measureZip(stored));
      sizes.set(sha256, bytes);
      return bytes;
    },
    delete(sha256) {
      sizes.delete(sha256);
      const moveAside = async () => {
        const old = await mkdtemp(join(directory, '.old-'));
        // One rename, so that nobody sees half of it; removing the files then takes the time it takes.
        await rename(join(directory, sha256), join(old, 'package')).catch(ignoreMissing);
        await rename(join(directory, `${sha256}${COMPILED}`), join(old, 'compiled')).catch(ignoreMissing);
        remove(old);
      };
      return inTurn(sha256, moveAside, () => ({}));
    },
    list: async () => (await readdir(directory)).filter((name) => /^[0-9a-f]{64}$/.test(name)),
    async close() {
      await Promise.allSettled([...turns.values()].map((turn) => turn.done));
      await Promise.all(removals);
    },
  };
}

const bufferOf = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** What a driver of sandboxes has made of a package is beside it, and goes with it. */
const COMPILED = '.compiled';

/** Moves aside what an earlier run left that cannot be trusted, and returns where it is now. */
async function discardStale(directory: string, bootId: string | undefined): Promise<readonly string[]> {
  const marker = join(directory, 'boot-id');
  const trusted = bootId !== undefined && (await readFile(marker, 'utf8').catch(ignoreMissing)) === bootId;
  const names = await readdir(directory);
  const isStale = (name: string) => {
    const [, sha256] = /^([0-9a-f]{64})(\.compiled)?$/.exec(name) ?? [];
    return name.startsWith('.new-') || name.startsWith('.old-') || (sha256 !== undefined && (!trusted || !names.includes(sha256)));
  };
  const stale = names.filter(isStale);
  const moved: string[] = [];
  for (const name of stale) {
    const aside = name.startsWith('.old-') ? join(directory, name) : await mkdtemp(join(directory, '.old-'));
    if (!name.startsWith('.old-')) await rename(join(directory, name), join(aside, 'package'));
    moved.push(aside);
  }
  if (bootId !== undefined && !trusted) await writeFile(marker, bootId);
  return moved;
}

async function kernelBootId(): Promise<string | undefined> {
  const text = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(ignoreMissing);
  return text?.trim();
}

const isDirectory = async (path: string): Promise<boolean> => (await stat(path).catch(ignoreMissing))?.isDirectory() ?? false;

function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT') return undefined;
  throw error;
}
