import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { HearthError } from '../kernel/mod.ts';
import { capacityText, parseCapacity } from './capacity.ts';
import { parseScaling, SCALING_SETTINGS, scalingText } from './scaling.ts';
import type { ScalingTag } from './scaling.ts';
import { parseWarmTags, warmTagText } from './warm-tag.ts';
import { durationText, parseDuration } from './words.ts';

const refused = (read: () => unknown, what: RegExp) =>
  assert.throws(
    read,
    (error) => error instanceof HearthError && error.code === 'InvalidParameterValueException' && what.test(error.message),
  );

test('what a tag says of scaling is read word by word, and written as it is read', () => {
  assert.deepEqual(parseScaling('concurrency=10  target=0.7 scale-down-delay=30s burst=2 queue-depth=0 queue-age=1.5s'), {
    ...{ concurrency: 10, targetUtilisation: 0.7, scaleDownDelayMs: 30_000, burstMultiple: 2, queueDepth: 0, queueAgeMs: 1_500 },
  });
  assert.deepEqual(parseScaling(undefined), {});
  const values = SCALING_SETTINGS.map(({ key, bounds }) => [key, fc.integer({ min: Math.ceil(bounds.min), max: Math.floor(bounds.max) })]);
  fc.assert(
    fc.property(
      fc.record(Object.fromEntries(values) as Record<string, fc.Arbitrary<number>>, {
        requiredKeys: ['concurrency'],
        noNullPrototype: true,
      }),
      (given) => {
        assert.deepEqual(parseScaling(scalingText(given as ScalingTag)), given);
      },
    ),
  );
});

test('what a tag cannot say of scaling is refused with what can be said', () => {
  refused(() => parseScaling(''), /is empty/);
  refused(() => parseScaling('concurrency=0'), /concurrency=0: write a whole number from 1 to 1000/);
  refused(() => parseScaling('concurrency=1001'), /from 1 to 1000/);
  refused(() => parseScaling('concurrency=1.5'), /a whole number/);
  refused(() => parseScaling('target=1.1'), /a number from 0\.1 to 1/);
  refused(() => parseScaling('scale-down-delay=30'), /a duration from 1s to 1h/);
  refused(() => parseScaling('queue-age=2h'), /a duration from 1ms to 5m/);
  refused(() => parseScaling('target=0.5 target=0.6'), /target twice/);
  refused(() => parseScaling('tarqet=0.5'), /has 'tarqet=0\.5'\. Write concurrency=… target=…/);
  refused(() => parseScaling('fast'), /has 'fast'/);
});

test('a capacity is a class and labels', () => {
  assert.deepEqual(parseCapacity(undefined), { class: 'standard', labels: [] });
  assert.deepEqual(parseCapacity('gpu'), { class: 'standard', labels: ['gpu'] });
  assert.deepEqual(parseCapacity('class=spot gpu compliance=pci'), { class: 'spot', labels: ['gpu', 'compliance=pci'] });
  assert.equal(capacityText(parseCapacity('class=reserved zone=a/b.c')), 'class=reserved zone=a/b.c');
  refused(() => parseCapacity(' '), /is empty/);
  refused(() => parseCapacity('class=cheap'), /the classes are reserved, standard, spot/);
  refused(() => parseCapacity('class=spot class=spot'), /class twice/);
  refused(() => parseCapacity('spot'), /Write class=spot/);
  refused(() => parseCapacity('gpu gpu=a100'), /the label gpu twice/);
  refused(() => parseCapacity('gpu!'), /no label/);
  refused(() => parseCapacity(Array.from({ length: 17 }, (_, i) => `l${i}`).join(' ')), /17 labels; 16 is the most/);
});

test('schedules are read from their tags, in the order of their ids, and written as they are read', () => {
  const office = { expression: 'cron(0 8 ? * MON-FRI *)', forMs: 36_000_000, instances: 5, timezone: 'Europe/Berlin', qualifier: 'live' };
  const hourly = { expression: 'rate(1 hour)', forMs: 60_000, instances: 1, timezone: 'UTC', qualifier: '$LATEST' };
  const tags = {
    'hearth:warm:office': 'cron(0 8 ? * MON-FRI *) for=10h instances=5 timezone=Europe/Berlin qualifier=live',
    'hearth:warm:hourly': 'rate(1 hour) instances=1 for=1m',
    team: 'checkout',
  };
  const read = parseWarmTags(tags);
  assert.deepEqual(read, [
    { id: 'hourly', ...hourly },
    { id: 'office', ...office },
  ]);
  assert.equal(warmTagText(read[1]!), tags['hearth:warm:office']);
  assert.equal(warmTagText(read[0]!), 'rate(1 hour) for=1m instances=1');
});

test('a schedule that is none is refused', () => {
  const read = (value: string, id = 'a') => parseWarmTags({ [`hearth:warm:${id}`]: value });
  refused(() => read('every day for=1h instances=1'), /begins with no schedule/);
  refused(() => read('rate(1 day) instances=1'), /has for=: write a duration from 1m to 7d/);
  refused(() => read('rate(1 day) for=30s instances=1'), /from 1m to 7d/);
  refused(() => read('rate(1 day) for=8d instances=1'), /from 1m to 7d/);
  refused(() => read('rate(1 day) for=1h'), /write a whole number from 1 to 10000/);
  refused(() => read('rate(1 day) for=1h instances=0'), /from 1 to/);
  refused(() => read('rate(1 day) for=1h instances=1 zone=UTC'), /has 'zone=UTC'/);
  refused(() => read('rate(1 day) for=1h instances=1 qualifier=a:b'), /a version or an alias/);
  refused(() => read('rate(1 day) for=1h instances=1', 'a b'), /names no schedule/);
  const many = Object.fromEntries(Array.from({ length: 11 }, (_, i) => [`hearth:warm:${i}`, 'rate(1 day) for=1h instances=1']));
  refused(() => parseWarmTags(many), /There are 11 tags/);
});

test('durations are written in the largest unit that fits', () => {
  assert.deepEqual([1, 1_500, 90_000, 3_600_000, 172_800_000, 0].map(durationText), ['1ms', '1500ms', '90s', '1h', '2d', '0ms']);
  assert.deepEqual(['1.5h', '250ms', '2d', '1w', '10', '-1s', ''].map(parseDuration), [
    5_400_000,
    250,
    172_800_000,
    ...Array.from({ length: 4 }),
  ]);
  fc.assert(fc.property(fc.nat(999_999_999), (ms) => assert.equal(parseDuration(durationText(ms)), ms)));
});
