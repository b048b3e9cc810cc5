/** Instances of one function version: the same user in one pid namespace. One must not learn of, or hurt, the invocation of another. */
import assert from 'node:assert/strict';
import { SCOPES_SINCE, landlockVersion } from '../../runtimes/ladder/landlock.ts';
import { DENIED, SYSCALLS, architecture } from '../../runtimes/ladder/syscalls.ts';
import { footprint } from '../e2e/footprint.ts';
import { eventually } from '../e2e/platform.ts';
import { allRefused, besiege } from './siege.ts';
import type { Results } from './siege.ts';

const arch = architecture();
const numbers = {
  prlimit: SYSCALLS.prlimit64[arch],
  ptrace: DENIED.ptrace[arch],
  readv: DENIED.process_vm_readv[arch],
  pidfd: SYSCALLS.pidfd_open[arch],
  fcntl: SYSCALLS.fcntl[arch],
  pidfdSignal: 424,
  queue: { x64: 129, arm64: 138 }[arch],
  tgkill: { x64: 234, arm64: 131 }[arch],
};
const SECRET = 'a-secret-of-one-invocation';

type Stayed = { readonly pid: number; readonly child: number; readonly signals: number; readonly alive: boolean; readonly files: string[] };

besiege('instances of one function', 'sibling.mjs', async ({ t, ask, attack, isolated }) => {
  if (landlockVersion < SCOPES_SINCE) {
    t.diagnostic('this kernel has no Landlock with scopes: docs/security.md says what then does not hold');
    return;
  }
  /** What comes of `run` while an instance with a secret stays, and what that one says of it. */
  const beside = async <T>(run: () => Promise<T>): Promise<{ stayed: Stayed; result: T }> => {
    const staying = ask<Stayed>('stay', { secret: SECRET });
    await eventually(async () => assert.ok(await ask('knock', {})));
    const result = await run();
    assert.ok(await ask('knock', { release: true }));
    return { stayed: await staying, result };
  };

  await attack('one reaches nothing of another, nor of its child, its template and its keeper', async () => {
    const { stayed, result } = await beside(() => ask<{ pid: number; found: Results }>('reach', { numbers }));
    assert.notEqual(result.pid, stayed.pid);
    for (const pid of [1, 2, stayed.pid, stayed.child]) assert.ok(`${pid} environ` in result.found, `${pid} was tried`);
    allRefused(result.found);
    assert.ok(!JSON.stringify(result.found).includes(SECRET));
    assert.deepEqual({ signals: stayed.signals, alive: stayed.alive }, { signals: 0, alive: true });
  });

  await attack('whoever signals everybody ends itself at most', async () => {
    const { stayed } = await beside(() => isolated.invoke('sibling', { attempt: 'signalAll' }));
    assert.deepEqual({ signals: stayed.signals, alive: stayed.alive }, { signals: 0, alive: true });
  });

  await attack('the kernel is not brought to signal another', async () => {
    const { stayed } = await beside(async () => {
      for (const pid of [2, 3, 4, 5]) await ask('ownedSignal', { pid, numbers });
    });
    assert.equal(stayed.signals, 0);
  });

  await attack('what one leaves in its environment, its globals, prototypes and /tmp no other finds', async () => {
    const { stayed, result } = await beside(async () => {
      await ask('mark', { mark: 'left' });
      return await Promise.all(Array.from({ length: 3 }, (_, i) => ask<{ files: string[] }>('mark', { mark: `left${i}` })));
    });
    assert.deepEqual(stayed.files, []);
    for (const { files } of result) assert.ok(!files.includes('secret'));
  });

  await attack('a daemon that ignores signals ends with its instance', async () => {
    const { error } = await isolated.invoke('sibling', { attempt: 'leaveDaemon' });
    assert.equal(error?.errorType, 'Runtime.ExitError');
    await eventually(() => assert.ok(!footprint(isolated.platform).processes.includes('tail')));
  });
});
