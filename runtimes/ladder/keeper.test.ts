import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { closeAfter } from '../../test/closing.ts';

const skip = process.platform === 'linux' ? false : 'needs Linux';

/** A keeper in this network, whose parent is a process of ours; it can do what needs no sandbox. */
const KEEPER = `
const { keep } = await import(${JSON.stringify(new URL('keeper.ts', import.meta.url).href)});
const { libc } = await import(${JSON.stringify(new URL('libc.ts', import.meta.url).href)});
const { architecture, SYSCALLS } = await import(${JSON.stringify(new URL('syscalls.ts', import.meta.url).href)});
const parent = libc.syscall(BigInt(SYSCALLS.pidfd_open[architecture()]), BigInt(process.argv[1]), 0n, 0n);
keep({ control: 3, template: 4, templatePid: 1, parent: Number(parent), doorway: -1, namespaces: 0, everybody: -1, user: { privileged: false, uid: 0, gid: 0 } });
`;

test('the host hears nothing from a keeper before who forked it has told of its birth, and has ended', { skip }, async (t) => {
  const { Control } = await import('../../src/adapters/linux/control.ts');
  const { libc } = await import('./libc.ts');
  const { socketPair } = await import('./messages.ts');
  const { RECORD } = await import('./orders.ts');
  const parent = spawn('sleep', ['1000'], { stdio: 'ignore' });
  const heard: number[] = [];
  const { promise: answered, resolve } = Promise.withResolvers<void>();
  const { promise: closed, resolve: hearClosed } = Promise.withResolvers<void>();
  const control = new Control({
    onRecord: ({ kind }) => {
      heard.push(kind);
      resolve();
    },
    onClosed: hearClosed,
  });
  const [template, templateFar] = socketPair();
  const keeper = spawn(process.execPath, ['--no-warnings', '--input-type=module', '--eval', KEEPER, String(parent.pid)], {
    stdio: ['ignore', 'ignore', 'inherit', control.far, templateFar],
  });
  closeAfter(t, async () => {
    control.close();
    await closed;
    for (const child of [parent, keeper]) child.kill('SIGKILL');
    libc.close(template);
  });
  for (const fd of [control.far, templateFar]) libc.close(fd);
  const PORT_OF_NOBODY = 1;
  control.send({ do: 'connect', id: 1, port: PORT_OF_NOBODY });
  // Long enough for a keeper that does not wait.
  await Promise.race([answered, new Promise((after) => setTimeout(after, 1_000))]);
  assert.deepEqual(heard, []);
  parent.kill('SIGKILL');
  await Promise.race([answered, once(keeper, 'exit')]);
  assert.deepEqual(heard, [RECORD.connected]);
});
