/** What files are, in WASI's layout, and how their times are set. */
import { futimesSync, lutimesSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { filetypeOf } from './descriptors.ts';
import { ERRNO, WasiError } from './errno.ts';
import { FSTFLAG } from './layouts.ts';
import type { GuestMemory } from './guest-memory.ts';
import { native } from './native.ts';

const FILESTAT_BYTES = 64;

export function writeFilestat(memory: GuestMemory, address: number, stats: BigIntStats): void {
  memory.bytes(address, FILESTAT_BYTES).fill(0);
  const at = address >>> 0;
  memory.setU64(at, stats.dev);
  memory.setU64(at + 8, stats.ino);
  memory.view.setUint8(at + 16, filetypeOf(stats));
  memory.setU64(at + 24, stats.nlink);
  memory.setU64(at + 32, stats.size);
  memory.setU64(at + 40, stats.atimeNs);
  memory.setU64(at + 48, stats.mtimeNs);
  memory.setU64(at + 56, stats.ctimeNs);
}

/** Of what has no file behind it. */
export function writeBareFilestat(memory: GuestMemory, address: number, filetype: number): void {
  const bytes = memory.bytes(address, FILESTAT_BYTES);
  bytes.fill(0);
  bytes[16] = filetype;
}

export type Times = { readonly atim: bigint; readonly mtim: bigint; readonly flags: number };

/** Throws WasiError: flags that say two things, or nothing known. */
export function checkTimes(flags: number): void {
  const { atim, atimNow, mtim, mtimNow } = FSTFLAG;
  const both = (a: number, b: number) => (flags & a) !== 0 && (flags & b) !== 0;
  if (both(atim, atimNow) || both(mtim, mtimNow) || (flags & ~(atim | atimNow | mtim | mtimNow)) !== 0) throw new WasiError(ERRNO.INVAL);
}

const NS_PER_SECOND = 1_000_000_000n;
const UTIME_NOW = 0x3fff_ffffn;
const UTIME_OMIT = 0x3fff_fffen;
const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;

/** Of an open file, by its descriptor, or of what lies at a path, without following it. */
export function setTimes(target: number | string, times: Times, current: () => BigIntStats): void {
  checkTimes(times.flags);
  const system = native();
  if (!system) return setByMicroseconds(target, times, current());
  const { atim, atimNow, mtim, mtimNow } = FSTFLAG;
  // Two of struct timespec.
  const specs = new BigInt64Array(new ArrayBuffer(4096), 0, 4);
  const put = (at: number, value: bigint, given: number, now: number) => {
    const asked = (times.flags & given) !== 0;
    specs[at] = asked ? value / NS_PER_SECOND : 0n;
    specs[at + 1] = asked ? value % NS_PER_SECOND : (times.flags & now) !== 0 ? UTIME_NOW : UTIME_OMIT;
  };
  put(0, times.atim, atim, atimNow);
  put(2, times.mtim, mtim, mtimNow);
  const address = system.addressOf(new Uint8Array(specs.buffer));
  const result =
    typeof target === 'number' ? system.futimens(target, address) : system.utimensat(AT_FDCWD, target, address, AT_SYMLINK_NOFOLLOW);
  if (result !== 0) throw new WasiError(system.errno() === 1 ? ERRNO.PERM : system.errno() === 30 ? ERRNO.ROFS : ERRNO.ACCES);
}

function setByMicroseconds(target: number | string, { atim, mtim, flags }: Times, stats: BigIntStats): void {
  const now = Date.now() / 1000;
  const seconds = (value: bigint) => Number(value / 1000n) / 1e6;
  const pick = (asked: boolean, value: bigint, isNow: boolean, old: bigint) => (asked ? seconds(value) : isNow ? now : seconds(old));
  const accessed = pick((flags & FSTFLAG.atim) !== 0, atim, (flags & FSTFLAG.atimNow) !== 0, stats.atimeNs);
  const modified = pick((flags & FSTFLAG.mtim) !== 0, mtim, (flags & FSTFLAG.mtimNow) !== 0, stats.mtimeNs);
  if (typeof target === 'number') futimesSync(target, accessed, modified);
  else lutimesSync(target, accessed, modified);
}
