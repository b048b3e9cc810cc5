import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findInterpreter } from '../../../runtimes/python/interpreter.ts';
import { invoke, openTemplates, skip as withoutLinux, valueOf } from './templates.testing.ts';

process.env['PATH'] = `/usr/bin:${process.env['PATH']}`;
const found = await findInterpreter('python3.11');
const skip = withoutLinux || (typeof found === 'string' ? found : false);
const runtime = typeof found === 'string' ? 'python3.11' : `python${found.version}`;

/** What a function does at SIGCHLD. */
const COLLECTING = {
  'ignores them': 'signal.SIG_IGN',
  'collects them all': 'lambda *_: os.waitpid(-1, os.WNOHANG)',
};

for (const [what, handler] of Object.entries(COLLECTING)) {
  test(
    `how instances end is known where the function is told of ended children and ${what}, and so it does in each`,
    { skip },
    async (t) => {
      const code = `
import os, signal
signal.signal(signal.SIGCHLD, ${handler})
def handler(event, context):
    if 'exit' in event:
        os._exit(event['exit'])
    return signal.getsignal(signal.SIGCHLD) == signal.SIG_DFL
`;
      const template = await (await openTemplates(t)).boot('', { runtime }, { 'index.py': code });
      assert.ok(template.forks);
      const [one, two] = [template.fork(), template.fork()];
      assert.deepEqual([await valueOf(one), await valueOf(two)], [false, false]);
      assert.deepEqual(await invoke(one, { exit: 3 }), { kind: 'died', exit: { kind: 'exited', code: 3 } });
      assert.deepEqual(await one.closed, { kind: 'exited', code: 3 });
      assert.equal(await valueOf(two), false);
    },
  );
}
