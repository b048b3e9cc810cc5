/** What a start waits for longest, begun before commands are read and rooms are loaded. */
import type { Ahead as Started } from '../adapters/linux/mod.ts';

export interface Ahead {
  readonly started: Promise<Started | undefined>;
  /** Ends it, for a start that came to nothing or has no use for it. Idempotent. */
  close(): Promise<void>;
}

export function startAhead(): Ahead {
  const started = start();
  return { started, close: async () => (await started)?.zygote.close() };
}

/** Whatever goes wrong here goes wrong once more where it is waited for, and is told there. */
async function start(): Promise<Started | undefined> {
  if (process.platform !== 'linux') return undefined;
  try {
    return await (await import('../adapters/linux/mod.ts')).startAhead();
  } catch {
    return undefined;
  }
}
