import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { test } from 'node:test';
import { findInterpreter } from '../../runtimes/python/interpreter.ts';
import { killAfter } from '../closing.ts';
import { temporaryDirectory } from '../temporary.ts';

const found = await findInterpreter('python3.11');
const start = join(import.meta.dirname, '../../runtimes/python/start.py');

/** The main thread does not take the signal, and a runtime that waits for it by itself would wait for ever. */
const CODE = `
import signal, sys, threading
frame = sys._getframe()
while frame.f_globals.get('__name__') != '_hearth.init':
    frame = frame.f_back
frame.f_globals['end_with'].__globals__['LEFT_AFTER_S'] = 1_000_000
def end(number, frame):
    sys.exit(3)
signal.signal(signal.SIGTERM, end)
threading.Thread(target=threading.Event().wait, daemon=True).start()
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
def handler(event, context):
    return event
`;

test(
  'a handler of SIGTERM is called although the host has hung up before, and another thread takes the signal',
  { skip: typeof found === 'string' ? found : false },
  async (t) => {
    assert.ok(typeof found !== 'string');
    const root = temporaryDirectory(t);
    writeFileSync(join(root, 'index.py'), CODE);
    const child = spawn(found.file, [start, 'spawn', root, 'index.handler', '1'], { stdio: ['ignore', 'inherit', 'inherit', 'pipe'] });
    killAfter(t, child);
    const channel = child.stdio[3] as Duplex;
    // It is ready.
    await once(channel, 'data');
    channel.end();
    // Whichever of both it hears of first, it is to come to the same.
    await new Promise((resolve) => setTimeout(resolve, 300));
    child.kill('SIGTERM');
    assert.deepEqual(await once(child, 'exit'), [3, null]);
  },
);
