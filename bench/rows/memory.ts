/** What an idle instance costs the machine: available memory before and after a thousand instances of one function. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { firstLine, startChild, stopChild } from '../children.ts';
import { openClient } from '../client.ts';
import { deploy, invoke, startHearth, waitUntilActive } from '../hearth.ts';
import type { Row } from '../row.ts';

export const memoryPerInstance: Row = {
  name: 'memory per idle instance',
  async measure(scale) {
    const hearth = await startHearth();
    const client = openClient();
    try {
      await deploy(client, hearth, { name: 'idle', timeoutSeconds: 120, source: SOURCE });
      await waitUntilActive(client, hearth, 'idle');
      await invoke(client, hearth, 'idle', { holdMs: 0 });
      const beforeKiB = await availableKiB();
      const distinct = await holdMany(hearth.url, scale.idleInstances);
      const afterKiB = await availableKiB();
      if (distinct !== scale.idleInstances) throw new Error(`${distinct} instances answered, not ${scale.idleInstances}`);
      // One instance was there before.
      const perInstanceMiB = (beforeKiB - afterKiB) / 1024 / (scale.idleInstances - 1);
      return [
        { row: this.name, unit: 'MiB', hearth: perInstanceMiB, target: { of: 'value', bound: 'atMost', limit: 2.5 }, samples: distinct },
      ];
    } finally {
      client.close();
      await hearth.stop();
    }
  },
};

/** An instance knows itself by what it made at its first invocation. */
const SOURCE = `import { randomUUID } from 'node:crypto';
let id;
export const handler = async (event) => {
  id ??= randomUUID();
  await new Promise((resolve) => setTimeout(resolve, event.holdMs));
  return id;
};
`;

/**
 * Lets a child ask for `count` answers at once, so long held that each needs an instance of its own; says how many different instances
 * answered. A child, so that its memory is back before memory is read again.
 */
async function holdMany(url: string, count: number): Promise<number> {
  const child = startChild(process.execPath, [join(import.meta.dirname, 'hold-many.ts'), url, String(count)]);
  try {
    return await firstLine(child, 'the client of the memory row', (line) => (/^\d+$/.test(line) ? Number(line) : undefined), 1, 120_000);
  } finally {
    await stopChild(child);
  }
}

/** Once it has come to rest: the least of a few readings that don't fall any more. */
async function availableKiB(): Promise<number> {
  let last = await memAvailable();
  for (let tries = 0; tries < 20; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 500));
    const now = await memAvailable();
    if (Math.abs(now - last) < 1024) return now;
    last = now;
  }
  return last;
}

async function memAvailable(): Promise<number> {
  const text = await readFile('/proc/meminfo', 'utf8').catch((error: unknown) => {
    throw new Error('memory is read from /proc/meminfo, which only Linux has', { cause: error });
  });
  return Number(/^MemAvailable: +(\d+) kB$/m.exec(text)?.[1]);
}
