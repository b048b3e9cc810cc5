/** The error numbers of WASI preview 1, and how those of the system become them. */
export const ERRNO = {
  SUCCESS: 0,
  ACCES: 2,
  AGAIN: 6,
  BADF: 8,
  BUSY: 10,
  DQUOT: 19,
  EXIST: 20,
  FAULT: 21,
  FBIG: 22,
  ILSEQ: 25,
  INTR: 27,
  INVAL: 28,
  IO: 29,
  ISDIR: 31,
  LOOP: 32,
  MFILE: 33,
  MLINK: 34,
  NAMETOOLONG: 37,
  NFILE: 41,
  NODEV: 43,
  NOENT: 44,
  NOMEM: 48,
  NOSPC: 51,
  NOSYS: 52,
  NOTDIR: 54,
  NOTEMPTY: 55,
  NOTSOCK: 57,
  NOTSUP: 58,
  NOTTY: 59,
  NXIO: 60,
  OVERFLOW: 61,
  PERM: 63,
  PIPE: 64,
  ROFS: 69,
  SPIPE: 70,
  TXTBSY: 74,
  XDEV: 75,
  NOTCAPABLE: 76,
} as const;

export type Errno = number;

/** Thrown below a WASI function, and answered by it. */
export class WasiError extends Error {
  readonly errno: Errno;
  constructor(errno: Errno) {
    super(`errno ${errno}`);
    this.errno = errno;
  }
}

const BY_CODE = new Map<string, Errno>(Object.entries(ERRNO).map(([name, errno]) => [`E${name}`, errno]));
BY_CODE.set('EOPNOTSUPP', ERRNO.NOTSUP);
BY_CODE.set('EDEADLK', ERRNO.BUSY);

/** Of what was thrown; what is no error of the system or of an address goes on. */
export function errnoOf(thrown: unknown): Errno {
  if (thrown instanceof WasiError) return thrown.errno;
  // DataView and TypedArray throw it where an address lies outside of the memory.
  if (thrown instanceof RangeError) {
    const { code } = thrown as NodeJS.ErrnoException;
    if (code === undefined || code === 'ERR_OUT_OF_RANGE') return code === undefined ? ERRNO.FAULT : ERRNO.INVAL;
  }
  const code = (thrown as NodeJS.ErrnoException | null)?.code;
  if (typeof code === 'string' && /^E[A-Z0-9]+$/.test(code)) return BY_CODE.get(code) ?? ERRNO.IO;
  throw thrown;
}
