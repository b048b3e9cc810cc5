/** Functions with AWS_LAMBDA_EXEC_WRAPPER, as processes in real environments of either driver. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UNHURRIED, failureOf, invoke, missing, openEnvironments, shellExtension, skip, templateOf, until } from './extensions.testing.ts';

const WRAPPER = '/opt/wrapper';
const environment = { AWS_LAMBDA_EXEC_WRAPPER: WRAPPER, LAMBDA_TASK_ROOT: '/var/task', LANG: 'en_US.UTF-8' };
const FUNCTIONS = {
  node: {
    code: `console.log('init of the function');
      let calls = 0;
      export const handler = async (event, context) => {
        console.log('called with ' + JSON.stringify(event));
        if (event.fail) throw new TypeError('as asked');
        if (event.exit) process.exit(7);
        return { calls: ++calls, flags: process.execArgv, added: process.env.ADDED, id: context.awsRequestId, argv: process.argv.length, wrapper: process.env.AWS_LAMBDA_EXEC_WRAPPER };
      };`,
    flag: '--stack-trace-limit=77',
    flags: ['--stack-trace-limit=77'],
  },
  python: {
    code: `
import os, sys
print('init of the function')
calls = 0
def handler(event, context):
    global calls
    print('called with %s' % event)
    if event.get('fail'):
        raise TypeError('as asked')
    if event.get('exit'):
        os._exit(7)
    calls += 1
    flags = ['-X tracemalloc=%s' % sys._xoptions['tracemalloc']]
    return {'calls': calls, 'flags': flags, 'added': os.environ['ADDED'], 'id': context.aws_request_id, 'wrapper': os.environ['AWS_LAMBDA_EXEC_WRAPPER']}
`,
    flag: '-Xtracemalloc=3',
    flags: ['-X tracemalloc=3'],
  },
} as const;
const RUNTIMES = ['node', 'python'] as const;

/** As those of Lambda's documentation: adds an argument before the last one. */
const adding = (flag: string): string => `#!/bin/bash
args=("$@")
export ADDED="by the wrapper"
echo "wraps $1"
exec "\${args[@]:0:$#-1}" "${flag}" "\${args[@]: -1}"
`;

const noBash = skip || missing('bash');

for (const driver of ['linux', 'spawn'] as const) {
  for (const runtime of RUNTIMES) {
    test(`${driver}, ${runtime}: a wrapper is executed with the runtime's command line, and may add to it`, { skip: noBash }, async (t) => {
      const { boot } = await openEnvironments(t, { driver });
      const { code, flag, flags } = FUNCTIONS[runtime];
      const booted = await boot(runtime, code, { wrapper: adding(flag) }, { environment });
      const template = templateOf(booted);
      assert.equal(template.forks, false);
      assert.deepEqual(template.blockers[0], { kind: 'exec wrapper', detail: WRAPPER });
      assert.ok(template.steps.some(({ name }) => name === 'runtime loaded'));
      assert.ok(booted.log.some((line) => line.startsWith('wraps /')) && booted.log.some((line) => line.includes('init of the function')));
      const instances = [template.fork(), template.fork()];
      const log: string[] = [];
      for (const instance of instances) {
        assert.equal(instance.start, driver === 'linux' ? 'boot' : 'spawn');
        for (const calls of [1, 2]) {
          const { id, end, value } = await invoke(instance, { calls }, log);
          assert.equal(end.kind, 'answered', `${JSON.stringify(end)} ${log.join('\n')}`);
          const told = value as { calls: number; flags: string[]; added: string; id: string; wrapper: string };
          assert.deepEqual([told.calls, told.id, told.added, told.wrapper], [calls, id, 'by the wrapper', WRAPPER]);
          for (const wanted of flags) assert.ok(told.flags.includes(wanted), told.flags.join(' '));
        }
      }
      assert.ok(
        log.some((line) => line.includes('called with')),
        log.join('\n'),
      );
      const failed = await invoke(instances[0]!, { fail: true }, log);
      assert.ok(failed.end.kind === 'failed' && failed.end.error.errorType === 'TypeError', JSON.stringify(failed.end));
      const ended = await invoke(instances[0]!, { exit: true }, log);
      assert.deepEqual(ended.end, { kind: 'died', exit: { kind: 'exited', code: 7 } });
      assert.equal(instances[0]!.alive, false);
      await Promise.all(instances.map((instance) => (instance.kill(), instance.closed)));
    });
  }

  test(
    `${driver}: a wrapper that cannot be executed, ends, or closes what it was given fails init, and says why`,
    { skip: noBash },
    async (t) => {
      const { boot } = await openEnvironments(t, { driver });
      for (const runtime of RUNTIMES) {
        const fails = async (layer: Readonly<Record<string, string>>) => {
          const booted = await boot(runtime, FUNCTIONS[runtime].code, layer, { environment });
          return `${failureOf(booted)} | ${booted.log.join('\n')}`;
        };
        assert.match(await fails({ nothing: '' }), /^Runtime\.InvalidEntrypoint: fork\/exec .*wrapper: no such file or directory/);
        assert.match(await fails({ wrapper: 'a text' }), /^Runtime\.InvalidEntrypoint: fork\/exec .*wrapper: permission denied/);
        assert.match(await fails({ wrapper: '#!/bin/sh\necho not today; exit 3\n' }), /^exited \| not today$/);
        assert.match(await fails({ wrapper: '#!/bin/sh\nexec 3>&-\nexec "$@"\n' }), /^exited \| .*has closed its descriptor 3/);
      }
    },
  );

  test(`${driver}: a wrapper that stays beside the runtime, and extensions around both`, { skip }, async (t) => {
    const { boot } = await openEnvironments(t, { driver, windDown: UNHURRIED });
    const layer = {
      wrapper: '#!/bin/sh\nexport ADDED=yes\n"$@" &\nwait $!\n',
      'extensions/beside': shellExtension(),
    };
    for (const runtime of RUNTIMES) {
      const code = FUNCTIONS[runtime].code.replace("sys._xoptions['tracemalloc']", "''");
      const booted = await boot(runtime, code, layer, { environment });
      const template = templateOf(booted);
      assert.deepEqual(template.blockers.map(({ kind }) => kind).slice(0, 1), ['exec wrapper']);
      assert.ok(template.blockers.some(({ kind, detail }) => kind === 'external extension' && detail === 'beside'));
      const instance = template.fork();
      const { log } = booted;
      const { id, end } = await invoke(instance, {}, log);
      assert.equal(end.kind, 'answered', log.join('\n'));
      await until(
        () => log.some((line) => line.startsWith('ext got') && line.includes(id)),
        () => log.join('\n'),
      );
      const other = template.fork();
      const exit = await invoke(other, { exit: true }, log);
      assert.deepEqual(exit.end, { kind: 'died', exit: { kind: 'exited', code: 7 } });
      instance.kill();
      for (const reason of ['failure', 'spindown']) {
        await until(
          () => log.some((line) => line.includes(`"shutdownReason":"${reason}"`)),
          () => log.join('\n'),
        );
      }
    }
  });
}

test('a runtime of its own does with the variable what it likes', { skip }, async (t) => {
  const { boot } = await openEnvironments(t);
  const code = '#!/bin/sh\necho "has $AWS_LAMBDA_EXEC_WRAPPER"\nexit 4\n';
  const booted = await boot('shell', code, { wrapper: '#!/bin/sh\necho wrapped\n' }, { environment });
  assert.equal(failureOf(booted), 'exited');
  assert.deepEqual(booted.log, [`has ${WRAPPER}`]);
});
