import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCallsTag } from './mod.ts';

test('a schedule of calls is read, with what it leaves out', () => {
  assert.equal(parseCallsTag(undefined), undefined);
  assert.deepEqual(parseCallsTag('rate(1 hour)'), { expression: 'rate(1 hour)', timezone: 'UTC', jitterMs: 60_000, qualifier: '$LATEST' });
  assert.deepEqual(parseCallsTag(' cron(0/5 * * * ? *)  timezone=Europe/Berlin jitter=0s qualifier=live'), {
    expression: 'cron(0/5 * * * ? *)',
    timezone: 'Europe/Berlin',
    jitterMs: 0,
    qualifier: 'live',
  });
});

test('what is no schedule of calls is refused with what to write', () => {
  const wrong: Readonly<Record<string, RegExp>> = {
    '': /begins with no schedule/,
    'every hour': /begins with no schedule/,
    'rate(1 hour) jitter=2h': /jitter=2h: write a duration of at most 1h/,
    'rate(1 hour) jitter=soon': /jitter=soon/,
    'rate(1 hour) often=yes': /has 'often=yes'/,
    'rate(1 hour) qualifier=a/b': /qualifier=a\/b: write a version or an alias/,
    'rate(1 hour) jitter=1s jitter=2s': /jitter twice/,
  };
  for (const [text, message] of Object.entries(wrong))
    assert.throws(() => parseCallsTag(text), { code: 'InvalidParameterValueException', message });
});
