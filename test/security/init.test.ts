/** Functions that forge, during init, what their sandbox says to the host and to its keeper. They harm themselves, and nobody else. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { startIsolated, startNeighbour } from '../e2e/platform.ts';
import type { Answer, Isolated } from '../e2e/platform.ts';
import { USERS } from '../e2e/users.ts';
import type { User } from '../e2e/users.ts';
import { source } from './siege.ts';

const FORGER = source('forger.mjs');
const FORGED_INITS = [
  'blockers',
  'types',
  'twice',
  'answer',
  'error',
  'deep',
  'huge',
  'rest',
  'steal',
  'half',
  'noise',
  'hellos',
  'ends',
  'early',
  'reports',
  'closed',
  'descriptors',
  'halfClosed',
  'filled',
];
const SIGHTINGS = 8;
/** Looks for pid 1 from its first moment on, and while its keeper has work to do for it. */
const WATCHER = `import { existsSync, openSync } from 'node:fs';
const seen = new Set();
for (const end = performance.now() + 30; performance.now() < end;) {
  if (existsSync('/proc/1/stat')) seen.add('stat');
  try { openSync('/proc/1/mem', 'r+'); seen.add('memory'); } catch {}
}
export const handler = async () => [...seen];
`;
/** The answer to a function whose sandbox lies: an error of the function, or of the platform about it. */
const FUNCTION_ERROR = /^(Runtime\.(ProtocolViolation|ExitError|OutOfMemory|Unknown)|Sandbox\.Timedout|Error)$/;

const forgedInits = async (t: TestContext, user: User): Promise<void> => {
  const isolated = await startIsolated(t, undefined, user);
  if (!isolated) return;
  const neighbour = await startNeighbour(isolated);
  for (const forged of FORGED_INITS) {
    await t.test(`"${forged}" brings its own function to an end, at most`, async () => {
      const name = `init-${forged}`;
      await isolated.create(name, FORGER, { Timeout: 1, Environment: { Variables: { FORGE: forged } } });
      for (let i = 0; i < (user === 'root' ? 2 : 1); i++) await honestOrFailed(isolated, name);
      await isolated.healthy();
      await isolated.remove(name);
    });
  }
  await t.test('the keeper is out of sight from the first moment', async () => {
    for (let i = 0; i < SIGHTINGS; i++) {
      const name = `init-watcher-${i}`;
      await isolated.create(name, WATCHER);
      assert.deepEqual((await isolated.invoke(name)).value, []);
      await isolated.remove(name);
    }
  });
  await neighbour.stop();
};

for (const user of USERS) {
  test(`forged frames and records during init, the platform being run by ${user}`, { timeout: 300_000 }, (t) => forgedInits(t, user));
}

/** Answered by the handler, or failed in a way that callers know. */
async function honestOrFailed({ invoke }: Isolated, name: string): Promise<void> {
  let answer: Answer;
  try {
    answer = await invoke(name);
  } catch (error) {
    assert.equal((error as Error).name, 'ServiceException', String(error));
    return;
  }
  if (answer.error) assert.match(answer.error.errorType, FUNCTION_ERROR);
  else assert.equal(answer.value, 'honest');
}
