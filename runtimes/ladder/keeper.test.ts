import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { closeAfter, killAfter } from '../../test/closing.ts';
import type { Record } from './messages.ts';

const skip = process.platform === 'linux' ? false : 'needs Linux';

/** A keeper in this network; it can do what needs no sandbox. `template` and `parent`: the pids that it takes for theirs. */
const keeperProgram = (template: string, parent: string) => `
const { spawn } = await import('node:child_process');
const { readFileSync } = await import('node:fs');
const { keep } = await import(${JSON.stringify(new URL('keeper.ts', import.meta.url).href)});
const { libc } = await import(${JSON.stringify(new URL('libc.ts', import.meta.url).href)});
const { architecture, SYSCALLS } = await import(${JSON.stringify(new URL('syscalls.ts', import.meta.url).href)});
const templatePid = ${template};
const parent = libc.syscall(BigInt(SYSCALLS.pidfd_open[architecture()]), BigInt(${parent}), 0n, 0n);
console.log('begins');
keep({ control: 3, template: 4, templatePid, parent: Number(parent), doorway: -1, namespaces: 0, everybody: -1, user: { privileged: false, uid: 0, gid: 0 } });
`;

/** Of a child that has ended, which nobody has asked for yet. */
const ENDED_CHILD = `(() => {
  const { pid } = spawn('sh', ['-c', 'exit 3']);
  while (!/\\) Z /.test(readFileSync('/proc/' + pid + '/stat', 'latin1')));
  return pid;
})()`;

async function startKeeper(t: TestContext, program: string) {
  const { Control } = await import('../../src/adapters/linux/control.ts');
  const { libc } = await import('./libc.ts');
  const { socketPair } = await import('./messages.ts');
  const heard: Record[] = [];
  const { promise: answered, resolve } = Promise.withResolvers<void>();
  const { promise: closed, resolve: hearClosed } = Promise.withResolvers<void>();
  const control = new Control({
    onRecord: (record) => {
      heard.push(record);
      resolve();
    },
    onClosed: hearClosed,
  });
  const [template, templateFar] = socketPair();
  const keeper = spawn(process.execPath, ['--no-warnings', '--input-type=module', '--eval', program], {
    stdio: ['ignore', 'pipe', 'inherit', control.far, templateFar],
  });
  closeAfter(t, async () => {
    control.close();
    await closed;
    keeper.kill('SIGKILL');
    libc.close(template);
  });
  for (const fd of [control.far, templateFar]) libc.close(fd);
  return { control, keeper, heard, answered };
}

test('the host hears nothing from a keeper before who forked it has told of its birth, and has ended', { skip }, async (t) => {
  const { RECORD } = await import('./orders.ts');
  const parent = spawn('sleep', ['1000'], { stdio: 'ignore' });
  killAfter(t, parent);
  const { control, keeper, heard, answered } = await startKeeper(t, keeperProgram('1', String(parent.pid)));
  const PORT_OF_NOBODY = 1;
  control.send({ do: 'connect', id: 1, port: PORT_OF_NOBODY });
  await once(keeper.stdout!, 'data');
  // Long enough for a keeper that does not wait.
  await Promise.race([answered, new Promise((after) => setTimeout(after, 1_000))]);
  assert.deepEqual(heard, []);
  parent.kill('SIGKILL');
  await Promise.race([answered, once(keeper, 'exit')]);
  assert.deepEqual(
    heard.map(({ kind }) => kind),
    [RECORD.connected],
  );
});

test('a template that has ended before its keeper could wait for that is told of', { skip }, async (t) => {
  const { RECORD } = await import('./orders.ts');
  const { keeper, heard, answered } = await startKeeper(t, keeperProgram(ENDED_CHILD, 'templatePid'));
  await Promise.race([answered, once(keeper, 'exit')]);
  const status = 3 << 8;
  assert.deepEqual(
    heard.map(({ kind, a }) => [kind, a]),
    [[RECORD.templateEnded, status]],
  );
});
