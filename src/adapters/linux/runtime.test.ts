import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../kernel/mod.ts';
import { node } from '../../../runtimes/node/description.ts';
import type { Runtime } from './runtime.ts';
import { invoke, openTemplates, skip, valueOf } from './templates.testing.ts';

/** Node, as somebody else would describe it. */
const other: Runtime = {
  ...node,
  memoryClassesMiB: [96, 160],
  zygote(files, memoryClassMiB) {
    const { arguments: more, ...program } = node.zygote(files, memoryClassMiB);
    return { ...program, arguments: [`--stack-trace-limit=${memoryClassMiB}`, ...more] };
  },
  saysOutOfMemory: (output) => output.includes('no room left'),
};

test('sandboxes go by the description of the runtime that they are given', { skip }, async (t) => {
  const templates = await openTemplates(t, systemClock, { runtime: other });
  const code = `
    import fs from 'node:fs';
    export const handler = async ({ words }) => {
      if (words === undefined) return Error.stackTraceLimit;
      fs.writeSync(2, words);
      process.abort();
    };`;
  const classes = { 64: 96, 96: 96, 128: 160, 4_096: 160 };
  for (const [memoryMiB, memoryClass] of Object.entries(classes)) {
    const template = await templates.boot(code, { memoryMiB: Number(memoryMiB) });
    assert.equal(await valueOf(template.fork()), memoryClass, `${memoryMiB} MiB`);
  }
  const template = await templates.boot(code);
  const ends = [{ kind: 'signalled', signal: 'SIGABRT' }, { kind: 'outOfMemory' }];
  for (const [index, words] of ['heap out of memory', 'no room left'].entries()) {
    assert.deepEqual(await invoke(template.fork(), { words }), { kind: 'died', exit: ends[index] });
  }
});
