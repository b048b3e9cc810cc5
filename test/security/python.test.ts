/** Functions in Python are in the sandboxes that Node's are in: the walls, seen and tried from inside, are the same. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { SCOPES_SINCE, landlockVersion } from '../../runtimes/ladder/landlock.ts';
import { ABSENT, DENIED, architecture } from '../../runtimes/ladder/syscalls.ts';
import { findInterpreter } from '../../runtimes/python/interpreter.ts';
import { eventually, startIsolated } from '../e2e/platform.ts';
import { allRefused, besiege, source } from './siege.ts';
import type { Results, Siege } from './siege.ts';

process.env['PATH'] = `/usr/bin:${process.env['PATH']}`;
const found = await findInterpreter('python3.11', '/usr/local/bin:/usr/bin');

/** The same facts as `walls` of python.py. */
const NODE = `import { readFileSync, readdirSync } from 'node:fs';
const lines = (path) => readFileSync(path, 'latin1').trim().split('\\n');
const FIELDS = ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb', 'NoNewPrivs', 'Seccomp', 'Groups'];
export const handler = async () => ({
  status: Object.fromEntries(lines('/proc/self/status').map((line) => line.split(':')).filter(([name]) => FIELDS.includes(name)).map(([name, value]) => [name, value.trim()])),
  limits: lines('/proc/self/limits').map((line) => line.trim().split(/\\s+/).join(' ')),
  mounts: [...new Set(lines('/proc/self/mountinfo').map((line) => line.split(' ').slice(4, 6).join(' ')))].sort(),
  devices: readdirSync('/dev').sort(),
  scheduler: Number(readFileSync('/proc/self/stat', 'latin1').split(') ')[1].split(' ')[38]),
});
`;
type Walls = {
  readonly status: Readonly<Record<string, string>>;
  readonly limits: readonly string[];
  readonly mounts: readonly string[];
  readonly devices: readonly string[];
  readonly scheduler: number;
};

if (typeof found === 'string') test('the walls around functions in Python', { skip: found }, () => {});
else {
  const attacks = async ({ t, isolated, user, ask, attack }: Siege): Promise<void> => {
    const { platform } = isolated;
    const arch = architecture();
    const numbers = (table: Readonly<Record<string, { readonly x64: number; readonly arm64: number }>>) =>
      Object.fromEntries(Object.entries(table).flatMap(([name, each]) => (each[arch] < 0 ? [] : [[name, [each[arch]]]])));

    await attack("they are those of Node's functions", async () => {
      await isolated.create('node', NODE, { MemorySize: 256 });
      const theirs = (await isolated.invoke('node')).value as Walls;
      const ours = await ask<Walls>('walls');
      assert.deepEqual(ours.status, theirs.status);
      assert.deepEqual([ours.status['CapEff'], ours.status['NoNewPrivs'], ours.status['Seccomp']], ['0000000000000000', '1', '2']);
      // V8 reserves more than Python does, and that is on top.
      const same = (limits: readonly string[]) => limits.filter((line) => !line.startsWith('Max data size'));
      assert.deepEqual(same(ours.limits), same(theirs.limits));
      assert.match(
        ours.limits.find((line) => line.startsWith('Max data size'))!,
        /^Max data size (\d+) \1 bytes$/,
      );
      assert.deepEqual(ours.devices, theirs.devices);
      assert.equal(ours.scheduler, theirs.scheduler);
      const own = '/var/lang/bin/node ';
      assert.deepEqual(
        ours.mounts,
        theirs.mounts.filter((mount) => !mount.startsWith(own)),
      );
    });

    await attack('the same calls are refused', async () => {
      allRefused(await ask<Results>('calls', { numbers: numbers(DENIED) }), /^refused: EPERM$/);
      allRefused(await ask<Results>('calls', { numbers: numbers(ABSENT) }), /^refused: ENOSYS$/);
      allRefused(
        await ask<Results>('sockets', {
          kinds: [
            [17, 3, 0],
            [2, 3, 1],
            [16, 3, 9],
            [38, 5, 0],
            [40, 1, 0],
          ],
        }),
      );
    });

    await attack("the host's files, other functions' code and the platform's data are out of reach", async () => {
      const paths = [import.meta.filename, join(platform.data, 'store.db'), join(platform.data, 'sealing.key'), '/etc/shadow'];
      const ways = ['', '/.old', '/proc/self/root', '/proc/1/root', '/proc/2/root', '/proc/3/root'];
      allRefused(await ask<Results>('files', { flags: 'r', paths: ways.flatMap((way) => paths.map((path) => way + path)) }));
      assert.deepEqual(await ask('lists', { paths: ['/.packages', '/.old'] }), { '/.packages': 'got ', '/.old': 'got ' });
      const files = ['/var/task/index.py', '/var/task/x', '/opt/x', '/usr/x', '/etc/passwd', '/x', '/dev/x', '/var/lang/bin/python3'];
      allRefused(await ask<Results>('files', { flags: 'w', paths: files }));
    });

    await attack('keeper and template show nothing, and their namespaces are not entered', async () => {
      const { pid, parent } = await ask<{ pid: number; parent: number }>('about');
      assert.ok(pid > parent && parent > 1);
      const names = ['environ', 'mem', 'maps', 'auxv', 'fd', 'root/etc', 'cwd/x', 'ns/user'];
      allRefused(
        await ask<Results>('files', { flags: 'r', paths: [1, parent].flatMap((id) => names.map((name) => `/proc/${id}/${name}`)) }),
      );
      allRefused(await ask<Results>('namespaces'));
    });

    await attack("what init has put in place of Python's own functions never runs with rights, and does not see the runtime", async () => {
      const { seen, hidden } = await ask<{ seen: string[]; hidden: string[] }>('about');
      assert.ok(
        seen.some((line) => line.startsWith('fork hook')),
        seen.join(),
      );
      for (const line of seen) assert.match(line, /: 0{32}$/);
      assert.deepEqual(hidden, []);
    });

    await attack('one instance reaches nothing of another, of its template and of its keeper', async () => {
      if (landlockVersion < SCOPES_SINCE) return t.diagnostic('this kernel has no Landlock with scopes');
      const staying = ask<{ pid: number; alive: boolean }>('stay', { secret: 'of one invocation' });
      await eventually(async () => assert.ok(await ask('knock')));
      const reached = await ask<Results>('signals');
      const looked = await ask<{ pid: number; tmp: string[]; secret: string | null }>('look');
      assert.ok(await ask('knock', { release: true }));
      const stayed = await staying;
      assert.equal(stayed.alive, true);
      assert.ok(String(stayed.pid) in reached, 'it was tried');
      allRefused(reached);
      assert.notEqual(looked.pid, stayed.pid);
      assert.deepEqual([looked.tmp, looked.secret], [[], null]);
    });

    await attack('who takes all memory ends alone, and nobody has processes without end', async () => {
      const { error } = await isolated.invoke('python', { attempt: 'hoard' });
      assert.match(error!.errorType, /^(Runtime\.OutOfMemory|Runtime\.ExitError|MemoryError)$/);
      const threads = await ask<number>('breed');
      assert.ok(threads > 100 && threads < 5_000, `${user}: ${threads} threads`);
    });

    await attack('forged frames and records harm the function alone, also those of its init', async () => {
      for (const bytes of [[0], Array(64).fill(255), [16, 0, 0, 0, 0x20, 1, 0, 0, 0, 0, 0, 0, 0, ...Buffer.from('"written"   ')]]) {
        const { error, value } = await isolated.invoke('python', { attempt: 'forge', bytes });
        assert.ok(error !== undefined || value === 'written');
      }
      const ON_INIT = JSON.stringify({ attempt: 'forge', bytes: Array(64).fill(2) });
      await isolated.create('forger', source('python.py'), {
        Timeout: 5,
        Environment: { Variables: { ON_INIT } },
        Runtime: 'python3.11',
      });
      assert.ok((await isolated.invoke('forger', { attempt: 'none' })).error);
      await isolated.remove('forger');
    });
  };
  besiege('the walls around functions in Python', 'python.py', attacks, ['python3.11']);

  test('bad functions in Python get an error that names the cause, and everything else goes on', { timeout: 300_000 }, async (t) => {
    const isolated = await startIsolated(t);
    if (!isolated) return;
    const good = 'def handler(event, context):\n    return "good"\n';
    await isolated.create('good', { 'index.py': good }, { Runtime: 'python3.11' });
    for (const [name, code, type, message] of [
      ['syntax', 'def handler(:\n', 'Runtime.UserCodeSyntaxError', /Syntax error in module 'index'/],
      ['missing', 'import not_there\n', 'Runtime.ImportModuleError', /No module named 'not_there'/],
      ['exits', 'import sys\nsys.exit(3)\n', 'Runtime.ExitError', /exit status 3/],
      ['five', 'handler = 5\n', 'Runtime.HandlerNotFound', /not callable/],
      ['hangs', 'import time\ntime.sleep(1000)\n', 'Sandbox.Timedout', /timed out/i],
      ['crashes', 'import ctypes\nctypes.string_at(0)\n', 'Runtime.ExitError', /segmentation fault/],
    ] as const) {
      await isolated.create(name, { 'index.py': code }, { Runtime: 'python3.11' });
      const { error } = await isolated.invoke(name);
      assert.equal(error?.errorType, type, `${name}: ${JSON.stringify(error)}`);
      assert.match(error.errorMessage, message, name);
      await eventually(async () => assert.equal((await isolated.invoke('good')).value, 'good'));
    }
    await isolated.healthy();
  });
}
