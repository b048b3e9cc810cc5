import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Store, Write } from '../../src/ports/mod.ts';

/** The store as a plain map, and the commands that are run against both. */
type Model = { records: Map<string, { value: unknown; revision: number }>; lastRevision: number };
type Real = { store: Store; readonly home: { open(): Promise<Store> } };
type Command = fc.AsyncCommand<Model, Real>;

/** A write whose expectation is made concrete when it runs: against the model's state at that moment. */
type PlannedWrite = {
  readonly kind: 'put' | 'delete';
  readonly key: string;
  readonly value: unknown;
  readonly expect: 'any' | 'right' | 'wrong';
};

const key = fc.constantFrom('a', 'a/b', 'a/b/c', 'a0', 'A', 'b', 'b c', '~');

const plannedWrite: fc.Arbitrary<PlannedWrite> = fc.record({
  kind: fc.constantFrom('put', 'put', 'delete'),
  key,
  value: fc.jsonValue({ maxDepth: 2 }),
  expect: fc.constantFrom('any', 'any', 'right', 'right', 'wrong'),
});

const commit = (planned: readonly PlannedWrite[]): Command => ({
  check: () => true,
  async run(model, real) {
    const writes = planned.map((write) => concrete(model, write));
    const conflicts = planned.some((write) => write.expect === 'wrong');
    const outcome = await real.store.commit(writes).catch((error: unknown) => error);
    if (conflicts) {
      assert.equal((outcome as { code?: string }).code, 'StoreConflict');
      return;
    }
    assert.ok(typeof outcome === 'number' && outcome > model.lastRevision, `a revision above ${model.lastRevision}: ${String(outcome)}`);
    model.lastRevision = outcome;
    for (const write of writes) {
      if (write.kind === 'delete') model.records.delete(write.key);
      else model.records.set(write.key, { value: JSON.parse(JSON.stringify(write.value)), revision: outcome });
    }
  },
  toString: () => `commit(${JSON.stringify(planned)})`,
});

function concrete(model: Model, planned: PlannedWrite): Write {
  const now = model.records.get(planned.key)?.revision ?? 0;
  const expect = { any: {}, right: { expect: now }, wrong: { expect: now === 0 ? 1 : now - 1 } }[planned.expect];
  return planned.kind === 'put'
    ? { kind: 'put', key: planned.key, value: planned.value, ...expect }
    : { kind: 'delete', key: planned.key, ...expect };
}

const get = (wanted: string): Command => ({
  check: () => true,
  async run(model, real) {
    const expected = model.records.get(wanted);
    assert.deepEqual(await real.store.get(wanted), expected && { key: wanted, ...expected });
  },
  toString: () => `get(${wanted})`,
});

const list = (prefix: string, after: string | undefined, limit: number): Command => ({
  check: () => true,
  async run(model, real) {
    const expected = [...model.records.keys()]
      .filter((name) => name.startsWith(prefix) && (after === undefined || name > after))
      .toSorted((a, b) => (a < b ? -1 : 1))
      .slice(0, limit)
      .map((name) => ({ key: name, ...model.records.get(name)! }));
    assert.deepEqual(await real.store.list(prefix, { ...(after === undefined ? {} : { after }), limit }), expected);
  },
  toString: () => `list(${prefix}, ${after}, ${limit})`,
});

const reopen: Command = {
  check: () => true,
  async run(_model, real) {
    await real.store.close();
    real.store = await real.home.open();
  },
  toString: () => 'reopen',
};

export const storeCommands = fc.commands(
  [
    fc.array(plannedWrite, { maxLength: 4 }).map(commit),
    fc.array(plannedWrite, { maxLength: 2 }).map(commit),
    key.map(get),
    fc
      .tuple(fc.constantFrom('', 'a', 'a/', 'b'), fc.option(key, { nil: undefined }), fc.integer({ min: 1, max: 5 }))
      .map((args) => list(...args)),
    fc.constant(reopen),
  ],
  { maxCommands: 15 },
);
