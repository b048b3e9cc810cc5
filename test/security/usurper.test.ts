/** A function that takes its template over, and with it every right that an instance has on its way into its own /tmp. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DENIED, SYSCALLS, architecture } from '../../runtimes/ladder/syscalls.ts';
import { eventually, startIsolated, startNeighbour } from '../e2e/platform.ts';
import { footprint } from '../e2e/footprint.ts';
import { USERS } from '../e2e/users.ts';
import { allRefused, source } from './siege.ts';
import type { Results } from './siege.ts';

const arch = architecture();
const NUMBERS = {
  denied: Object.fromEntries(Object.entries(DENIED).flatMap(([name, numbers]) => (numbers[arch] < 0 ? [] : [[name, numbers[arch]]]))),
  clone: SYSCALLS.clone[arch],
  prlimit: SYSCALLS.prlimit64[arch],
  mknodat: { x64: 259, arm64: 33 }[arch],
  setuid: { x64: 105, arm64: 146 }[arch],
  setpriority: { x64: 141, arm64: 140 }[arch],
};

for (const user of USERS) {
  test(
    `capabilities taken in the namespace of an instance reach nothing, the platform being run by ${user}`,
    { timeout: 300_000 },
    async (t) => {
      const isolated = await startIsolated(t, undefined, user);
      if (!isolated) return;
      const neighbour = await startNeighbour(isolated);
      const Environment = { Variables: { NUMBERS: JSON.stringify(NUMBERS) } };
      await isolated.create('usurper', source('usurper.mjs'), { Environment, Timeout: 20 });
      const { value, error } = await isolated.invoke('usurper');
      assert.equal(error, undefined, JSON.stringify(error));
      const { entered, rights, tried } = value as { entered: object; rights: string; tried: Results };
      assert.deepEqual(entered, { user: 0, mounts: 0 });
      assert.match(rights, /[^0]/, 'it had capabilities');
      allRefused(tried);
      await isolated.healthy();
      await isolated.remove('usurper');
      const before = neighbour.answers;
      await eventually(() => assert.ok(neighbour.answers > before));
      await neighbour.stop();
      assert.ok(footprint(isolated.platform).processes.length > 0);
    },
  );
}
