import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseReplayTag, replayTagText } from './mod.ts';

test('what a function stands for is read as it was written, and anything else says nothing', () => {
  const instance = { memoryMiB: 17.25, savedMs: 15.5 };
  const template = { memoryMiB: 150, savedMs: 12.125 };
  for (const tag of [{ instance }, { instance, template }]) assert.deepEqual(parseReplayTag(replayTagText(tag)), tag);
  assert.equal(replayTagText({ instance, template }), 'instance=17.25:15.5 template=150:12.125');
  for (const text of [undefined, '', '0f3a', 'instance=1', 'instance=-1:2', 'instance=1:2 template=', 'template=1:2', 'instance=1e9:1'])
    assert.equal(parseReplayTag(text), undefined);
});
