import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { functionFacts } from './context.ts';
import type { Loaded } from './loaded.ts';

const skip = process.platform === 'linux' ? false : 'the fork ladder needs Linux';

const loadedWith = (more: Partial<Loaded>): Loaded => ({
  handler: () => assert.fail('the function was called'),
  edge: false,
  streaming: false,
  highWaterMark: undefined,
  facts: functionFacts({}),
  returnsValues: true,
  ...more,
});

test('an instance rehearses without the function, and nothing of it stays', { skip }, async () => {
  const { prepareToRehearse } = await import('./rehearse-instance.ts');
  const descriptors = () => readdirSync('/proc/self/fd').length;
  for (const more of [{}, { edge: true, streaming: true }, { afterBytes: () => assert.fail('as after an invocation') }]) {
    const rehearse = prepareToRehearse(loadedWith(more));
    const before = descriptors();
    rehearse();
    rehearse();
    assert.equal(descriptors(), before);
  }
  assert.equal(process.env['_X_AMZN_TRACE_ID'], undefined);
});

test('what a runtime does around a function of bytes is rehearsed with it', { skip }, async () => {
  const { prepareToRehearse } = await import('./rehearse-instance.ts');
  const events: unknown[] = [];
  const rehearse = (event: Uint8Array) => {
    events.push(JSON.parse(Buffer.from(event).toString()));
    return Buffer.from('null');
  };
  prepareToRehearse(loadedWith({ afterBytes: () => {}, rehearse }))();
  assert.deepEqual(
    events.map((event) => Object.keys(event as object)[0]),
    ['version', 'name'],
  );
});

test('what can not be rehearsed is left', { skip }, async () => {
  const { prepareToRehearse } = await import('./rehearse-instance.ts');
  const rehearse = () => {
    throw new Error('no directory is left to open');
  };
  prepareToRehearse(loadedWith({ afterBytes: () => {}, rehearse }))();
});
