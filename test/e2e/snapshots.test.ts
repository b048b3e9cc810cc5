import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'node:test';
import { temporaryDirectory } from '../temporary.ts';
import { startPlatform } from './cli-platform.ts';

const skip = process.platform === 'linux' ? false : 'the fork ladder needs Linux';

type Configuration = {
  readonly State: string;
  readonly StateReason?: string;
  readonly SnapStart: { readonly ApplyOn: string; readonly OptimizationStatus: string };
  readonly Snapshot?: { readonly Forks: boolean; readonly Blockers: readonly { readonly Kind: string; readonly Place?: string }[] };
};

test('what keeps a function from being forked is told by the API, the log and the command, with its place', { skip }, async (t) => {
  const platform = await startPlatform(t, ['--driver', 'linux']);
  const cwd = temporaryDirectory(t);
  await mkdir(join(cwd, 'cleans'));
  await writeFile(join(cwd, 'cleans/hearth.json'), JSON.stringify({ name: 'cleans', url: false }));
  await writeFile(
    join(cwd, 'cleans/index.ts'),
    'setInterval(() => {}, 1000);\nexport const handler = async (): Promise<number> => process.pid;\n',
  );
  await platform.json(['deploy', 'cleans'], { cwd });
  await platform.json(['invoke', 'cleans']);

  const answer = await fetch(`${platform.url}/2015-03-31/functions/cleans/configuration`);
  const configuration = (await answer.json()) as Configuration;
  const blocker = configuration.Snapshot!.Blockers[0]!;
  assert.deepEqual([configuration.State, configuration.SnapStart.OptimizationStatus], ['Active', 'Off']);
  assert.deepEqual([configuration.Snapshot!.Forks, blocker.Kind], [false, 'timer']);
  assert.match(blocker.Place!, /index\.ts:1:1$/);
  assert.match(configuration.StateReason!, /^Each instance runs init by itself.*timer \(every 1000 ms\) at .*index\.ts:1:1\.$/);

  const shown = (await platform.hearth(['get', 'cleans'])).stdout;
  assert.match(
    shown,
    /snapshot +each instance runs init by itself, since init leaves open:\n +- timer \(every 1000 ms\) at .*index\.ts:1:1\n/,
  );
  let log = '';
  // Lines are written in groups.
  for (let rounds = 0; rounds < 100 && !log.includes('runs init by itself'); rounds++) {
    await sleep(20);
    log = (await platform.hearth(['logs', 'cleans'])).stdout;
  }
  assert.equal(log.match(/runs init by itself/g)?.length, 1, log);

  await writeFile(join(cwd, 'cleans/index.ts'), 'export const handler = async (): Promise<number> => process.pid;\n');
  await platform.json(['deploy', 'cleans'], { cwd });
  await platform.json(['invoke', 'cleans']);
  const now = (await (await fetch(`${platform.url}/2015-03-31/functions/cleans/configuration`)).json()) as Configuration;
  assert.deepEqual([now.StateReason, now.SnapStart], [undefined, { ApplyOn: 'None', OptimizationStatus: 'On' }]);
  assert.match((await platform.hearth(['get', 'cleans'])).stdout, /snapshot +instances are forked from one init\n/);
});
