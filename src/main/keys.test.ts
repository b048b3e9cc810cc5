import assert from 'node:assert/strict';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openKeys } from './keys.ts';

test('keys are there again at the next opening, sealed with a key file of their own', async (t) => {
  const dataDirectory = join(await mkdtemp(join(tmpdir(), 'hearth-keys-')), 'data');
  t.after(() => rm(join(dataDirectory, '..'), { recursive: true, force: true }));
  const first = await openKeys({ dataDirectory });
  const key = await first.create({ description: 'ci' });
  await assert.rejects(openKeys({ dataDirectory }), { code: 'DataDirectoryLocked' });
  await first.close();

  const second = await openKeys({ dataDirectory });
  assert.deepEqual(
    second.list().map((each) => [each.accessKeyId, each.description]),
    [[key.accessKeyId, 'ci']],
  );
  await second.close();
  assert.equal((await stat(join(dataDirectory, 'sealing.key'))).mode & 0o777, 0o600);

  await writeFile(join(dataDirectory, 'sealing.key'), Buffer.alloc(32, 1));
  await assert.rejects(openKeys({ dataDirectory }), { code: 'DataDirectoryUnusable' });
  await writeFile(join(dataDirectory, 'sealing.key'), 'short');
  await assert.rejects(openKeys({ dataDirectory }), { code: 'DataDirectoryUnusable' });
});
