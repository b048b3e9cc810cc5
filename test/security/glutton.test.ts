/** From inside a function: taking all there is of what the kernel counts. The others go on, and so does the function itself, later. */
import assert from 'node:assert/strict';
import { besiege } from './siege.ts';

/** The most that a process may get of each. */
const GOODS = {
  pipes: 512,
  watches: 1024 * 1024,
  notifications: 128,
  inFlight: 16,
  mappings: 70_000,
  timers: 256,
  signals: 256,
  locks: 2_000,
  memoryFiles: 1024,
  threads: 12,
  directories: 20_000,
};
/** How a function may end that has taken too much. */
const ENDS = /^(Runtime\.(ExitError|OutOfMemory)|Sandbox\.Timedout|Error|RangeError)$/;

besiege(
  'hoarding',
  'glutton.mjs',
  async ({ isolated, attack }) => {
    for (const [goods, most] of Object.entries(GOODS)) {
      await attack(`as many ${goods} as there are leave enough for the others`, async () => {
        const { value, error } = await isolated.invoke('glutton', { attempt: goods });
        // What it holds it gives back with its end.
        await isolated.invoke('glutton', { attempt: 'end' });
        if (error) assert.match(error.errorType, ENDS);
        else assert.ok((value as number) > 0 && (value as number) <= most, String(value));
      });
    }
  },
  ['nodejs24.x', 'provided.al2023', 'image'],
);
