import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AliasRecord, FunctionRecord, VersionRecord } from './records.ts';
import { applySettings } from './settings.ts';
import { EMPTY_TABLE, makeEntry, resolveVersion, withEntry } from './table.ts';
import type { FunctionEntry } from './table.ts';

const settings = applySettings('f', undefined, { runtime: 'nodejs22.x', handler: 'i.h', role: 'r' });
const READY = { kind: 'ready', directory: '/code', layers: [] } as const;
const versionOf = (version: string): VersionRecord => ({
  version,
  settings,
  code: { sha256: 'aa', bytes: 1 },
  modifiedMs: 0,
  revisionId: `r${version}`,
  deploymentId: `d${version}`,
});
const alias = (weights: AliasRecord['weights']): AliasRecord => ({ name: 'live', version: '1', description: '', weights, revisionId: 'r' });

function entryOf(name: string, { aliases = [], urlIds = [] }: { aliases?: AliasRecord[]; urlIds?: string[] } = {}): FunctionEntry {
  const urls = urlIds.map((urlId) => ({
    urlId,
    qualifier: '$LATEST',
    authType: 'NONE' as const,
    invokeMode: 'BUFFERED' as const,
    createdMs: 0,
    modifiedMs: 0,
  }));
  const record: FunctionRecord = { schema: 1, name, latest: versionOf('$LATEST'), published: 2, aliases, urls, policies: [], tags: {} };
  const published = ['1', '2'].map((version) => ({ record: versionOf(version), code: READY }));
  return makeEntry(`arn:${name}`, record, 1, published, READY);
}

test('a changed table is another value, and the old one stays as it was', () => {
  const one = withEntry(EMPTY_TABLE, 'a', entryOf('a', { urlIds: ['u1'] }));
  const two = withEntry(one, 'a', entryOf('a', { urlIds: ['u2'] }));
  const none = withEntry(two, 'a', undefined);
  assert.deepEqual([...one.byUrlId.keys()], ['u1']);
  assert.deepEqual([...two.byUrlId.keys()], ['u2']);
  assert.equal(two.byUrlId.get('u2')!.entry, two.byName.get('a'));
  assert.deepEqual([none.byName.size, none.byUrlId.size, EMPTY_TABLE.byName.size], [0, 0, 0]);
});

test('a qualifier means a version, or an alias and its share', () => {
  const number = (entry: FunctionEntry, qualifier: string | undefined, drawn = 0) =>
    resolveVersion(entry, qualifier, () => drawn).record.version;
  const entry = entryOf('a', { aliases: [alias({ '2': 0.25 })] });
  assert.equal(number(entry, undefined), '$LATEST');
  assert.equal(number(entry, '$LATEST'), '$LATEST');
  assert.equal(number(entry, '2'), '2');
  assert.equal(number(entry, 'live', 0.24), '2');
  assert.equal(number(entry, 'live', 0.25), '1');
  assert.throws(() => number(entry, '3'), /Function not found: arn:a:3/);
  assert.throws(() => number(entry, 'constructor'), /Function not found/);
});
