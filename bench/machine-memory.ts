import { readFile } from 'node:fs/promises';

/** What programs could still have. */
export async function availableKiB(): Promise<number> {
  const text = await readFile('/proc/meminfo', 'utf8').catch((error: unknown) => {
    throw new Error('memory is read from /proc/meminfo, which only Linux has', { cause: error });
  });
  return Number(/^MemAvailable: +(\d+) kB$/m.exec(text)?.[1]);
}

/** The same once the machine has come to rest: the first of a few readings that doesn't differ from the one before. */
export async function memoryAtRest(): Promise<number> {
  let last = await availableKiB();
  for (let tries = 0; tries < 20; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 500));
    const now = await availableKiB();
    if (Math.abs(now - last) < 1024) return now;
    last = now;
  }
  return last;
}
