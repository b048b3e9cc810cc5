import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { closeAfter, killAfter } from '../../../test/closing.ts';
import { skip } from './templates.testing.ts';
import { RANGE_USERS, Users } from './users.ts';

/** Beyond what hosts draw from: of these there are others beside a test, and tests of another run. */
const ownRange = (range: number, limit: number): number => limit + process.pid * 100 + range;

const drawn = (...ranges: number[]) => {
  let at = 0;
  return (limit: number) => ownRange(ranges[at++ % ranges.length]!, limit);
};

test('two hosts of one machine have different users', { skip }, async (t) => {
  const one = await Users.claim({ draw: drawn(7) });
  const two = await Users.claim({ draw: drawn(7, 7, 8) });
  for (const users of [one, two]) closeAfter(t, () => users.close());
  assert.equal(two.first, one.first + RANGE_USERS);
});

test('the range of a host that was killed is free again', { skip, timeout: 300_000 }, async (t) => {
  const code = `const { Users } = await import(${JSON.stringify(join(import.meta.dirname, 'users.ts'))});
    console.log((await Users.claim({ draw: (limit) => limit + ${ownRange(9, 0)} })).first); setInterval(() => {}, 1_000);`;
  const host = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
  killAfter(t, host);
  const [line] = (await once(host.stdout, 'data')) as [Buffer];
  const meanwhile = await Users.claim({ draw: drawn(9, 10) });
  assert.equal(meanwhile.first, Number(line) + RANGE_USERS);
  host.kill('SIGKILL');
  await once(host, 'exit');
  const later = await Users.claim({ draw: drawn(9) });
  assert.equal(later.first, Number(line));
  for (const users of [meanwhile, later]) users.close();
});

test('a host that finds no free range takes the last one that it drew', { skip }, async (t) => {
  const one = await Users.claim({ draw: drawn(11) });
  const two = await Users.claim({ draw: drawn(11) });
  for (const users of [one, two]) closeAfter(t, () => users.close());
  assert.equal(one.first, two.first);
});

test('a user is given out again when its sandbox has gone, and not before', { skip }, async (t) => {
  const users = await Users.claim();
  closeAfter(t, () => users.close());
  const kept = users.take();
  for (let i = 1; i < RANGE_USERS; i++) users.giveBack(users.take());
  assert.notEqual(users.take(), kept);
  users.giveBack(kept);
  const others = new Set(Array.from({ length: RANGE_USERS - 1 }, () => users.take()));
  assert.ok(others.has(kept));
});
