/** Processes of the ladder that are stopped, killed or out of room: whoever waits is answered, and the next start makes anew what is gone. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { invoke, openTemplates, skip, valueOf } from '../../src/adapters/linux/templates.testing.ts';
import { familyOf } from '../../tools/soak-holdings.ts';
import type { Family } from '../../tools/soak-holdings.ts';

const SOURCE = `export const handler = async ({ wait }) => {
  if (wait) await new Promise((resolve) => setTimeout(resolve, 60_000));
  return 'here';
};`;

async function setUp(t: TestContext) {
  const templates = await openTemplates(t);
  const template = await templates.boot(SOURCE);
  const instance = template.fork();
  assert.equal(await valueOf(instance), 'here');
  const family: Family = familyOf(process.pid);
  const signal = (name: string, number: NodeJS.Signals) => process.kill(family[name]!, number);
  return { templates, template, instance, signal };
}

const rest = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

test('an instance that is stopped answers when it goes on, and its siblings meanwhile', { skip }, async (t) => {
  const { template, instance, signal } = await setUp(t);
  signal('instance', 'SIGSTOP');
  let answered = false;
  const stopped = valueOf(instance).then((value) => {
    answered = true;
    return value;
  });
  assert.equal(await valueOf(template.fork()), 'here');
  await rest(50);
  assert.equal(answered, false);
  signal('instance', 'SIGCONT');
  assert.equal(await stopped, 'here');
});

test('one that stays stopped can be ended', { skip }, async (t) => {
  const { instance, signal } = await setUp(t);
  signal('instance', 'SIGSTOP');
  const stopped = invoke(instance);
  instance.kill();
  assert.deepEqual(await stopped, { kind: 'died', exit: { kind: 'ended' } });
  await instance.closed;
});

for (const name of ['template', 'keeper', 'zygote']) {
  test(
    `while the ${name} is stopped its instances answer, and the host goes on; what waits for it comes when it goes on`,
    { skip },
    async (t) => {
      const { templates, template, instance, signal } = await setUp(t);
      signal(name, 'SIGSTOP');
      // What it orders and is not read must not block the host.
      const late = Array.from({ length: 100 }, () => template.fork());
      const answers = late.map((each) => valueOf(each));
      const booted = templates.boot(SOURCE);
      for (let i = 0; i < 10; i++) assert.equal(await valueOf(instance), 'here');
      signal(name, 'SIGCONT');
      assert.deepEqual(await Promise.all(answers), Array(late.length).fill('here'));
      assert.equal(await valueOf((await booted).fork()), 'here');
      for (const each of late) each.kill();
      await Promise.all(late.map(({ closed }) => closed));
    },
  );
}

for (const name of ['keeper', 'zygote']) {
  test(
    `a ${name} that is killed takes its sandboxes with it: each invocation is answered, and the next boot works`,
    { skip },
    async (t) => {
      const { templates, template, instance, signal } = await setUp(t);
      const running = [invoke(instance, { wait: true }), invoke(template.fork(), { wait: true })];
      const busy = Array.from({ length: 10 }, () => invoke(template.fork()));
      signal(name, 'SIGKILL');
      for (const end of await Promise.all(running)) assert.equal(end.kind, 'died');
      for (const end of await Promise.all(busy))
        assert.ok(end.kind === 'died' || end.kind === 'answered' || end.kind === 'notBegun', end.kind);
      await template.closed;
      const late = template.fork();
      assert.equal((await invoke(late)).kind, 'died');
      const again = await templates.boot(SOURCE);
      assert.equal(await valueOf(again.fork()), 'here');
    },
  );
}

test('a /tmp that init has left full, or with files larger than there is room for, is no end of its instances', { skip }, async (t) => {
  const templates = await openTemplates(t);
  const source = (fill: string) => `
    import fs from 'node:fs';
    ${fill}
    export const handler = async () => fs.readdirSync('/tmp').length > 0;`;
  const full = await templates.boot(
    source(
      `try { for (let i = 0; ; i++) fs.writeFileSync('/tmp/' + i, Buffer.alloc(1 << 20)); } catch (error) { if (error.code !== 'ENOSPC') throw error; }`,
    ),
  );
  assert.deepEqual([await valueOf(full.fork()), await valueOf(full.fork())], [true, true]);
  const holes = await templates.boot(source(`fs.writeFileSync('/tmp/large', ''); fs.truncateSync('/tmp/large', 2 ** 30);`));
  for (let i = 0; i < 3; i++) assert.equal(typeof (await valueOf(holes.fork())), 'boolean');
});
