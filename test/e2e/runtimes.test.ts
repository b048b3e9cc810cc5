import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { startPlatform } from './cli-platform.ts';

type Report = { readonly name: string; readonly identifiers: string[]; readonly available: boolean; readonly firstMs?: number };

test('hearth runtimes lists each runtime, and has run it where it is there', async (t) => {
  const platform = await startPlatform(t);
  const { runtimes, isolated } = await platform.json<{ runtimes: Report[]; isolated: boolean }>(['runtimes']);
  const known = new Map(runtimes.map((report) => [report.name, report]));
  assert.ok(known.get('node')?.available && known.get('node')!.firstMs! > 0, JSON.stringify(runtimes));
  assert.deepEqual(known.get('provided')?.identifiers, ['provided.al2023', 'provided.al2', 'provided']);
  assert.equal(known.get('provided')!.available, existsSync('/bin/bash'), JSON.stringify(runtimes));
  assert.deepEqual(known.get('image')?.identifiers, ['Image']);
  assert.equal(known.get('image')!.available, isolated && existsSync('/bin/bash'), JSON.stringify(runtimes));
  const { stdout } = await platform.hearth(['runtimes']);
  for (const name of known.keys()) assert.match(stdout, new RegExp(`^(ok|missing) +${name} `, 'm'));
});
