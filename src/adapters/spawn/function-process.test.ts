import assert from 'node:assert/strict';
import { test } from 'node:test';
import { node } from '../../../runtimes/node/description.ts';
import { closeAfter } from '../../../test/closing.ts';
import { temporaryDirectory } from '../../../test/temporary.ts';
import { systemClock } from '../../kernel/mod.ts';
import { FunctionProcess } from './function-process.ts';
import { Watchdog } from './watchdog.ts';

test('a process that has ended is sent nothing: its number may be that of another', async (t) => {
  const directory = temporaryDirectory(t);
  const watchdog = new Watchdog();
  closeAfter(t, () => watchdog.close());
  const fixed = { label: 'test', runtime: 'nodejs26.x', handler: 'index.handler', layerDirectories: [], environment: {}, memoryMiB: 128 };
  const process = new FunctionProcess({
    spec: { ...fixed, codeDirectory: directory, tmpMiB: 16, initTimeoutMs: 20_000, concurrency: 1 },
    runtime: node.plain,
    program: { file: '/bin/sh', arguments: ['-c', 'exit 3'] },
    temporary: directory,
    watchdog,
    clock: systemClock,
  });
  assert.deepEqual(await process.exited, { kind: 'exited', code: 3 });
  const kill = t.mock.method(globalThis.process, 'kill', () => true);
  process.kill();
  assert.equal(kill.mock.callCount(), 0);
});
