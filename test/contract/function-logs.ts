import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import fc from 'fast-check';
import { closeAfter } from '../closing.ts';
import type { FunctionLogs, InvocationReport, LogEntry, LoneStart } from '../../src/ports/mod.ts';

/** Opened again after `close`, it finds what was appended before. */
export type FunctionLogsPlace = { open(): Promise<FunctionLogs> };

/** What every implementation of the FunctionLogs port promises. `place` makes an empty one, and has it cleaned up by `closeAfter`. */
export function functionLogsContract(name: string, place: (t: TestContext) => Promise<FunctionLogsPlace>): void {
  const opened = async (t: TestContext): Promise<FunctionLogs> => {
    const logs = await (await place(t)).open();
    closeAfter(t, () => logs.close());
    return logs;
  };
  const line = (functionName: string, timeMs: number, more: Partial<LogEntry> = {}): LogEntry => ({
    functionName,
    timeMs,
    text: `line ${timeMs}`,
    ...more,
  });

  test(`${name}: what was appended is read at once, oldest first, each function by itself`, async (t) => {
    const logs = await opened(t);
    const entries = [
      line('hello', 1, { requestId: 'r1', level: 'INFO', text: 'two\nlines, "quotes" and ü\u0000\u2028' }),
      line('hello', 2),
      line('hello', 3, { text: '' }),
    ];
    for (const entry of entries) {
      logs.append(entry);
      logs.append(line('other', 9));
    }
    assert.deepEqual(await logs.read('hello', {}), entries);
    assert.equal((await logs.read('other', {})).length, 3);
    assert.deepEqual(await logs.read('nobody', {}), []);
  });

  test(`${name}: a report is read, and followed, as the lines that it stands for`, async (t) => {
    const home = await place(t);
    let logs = await home.open();
    const heard: LogEntry[] = [];
    assert.equal(logs.isFollowed('hello'), false);
    const stop = logs.follow('hello', (entry) => void heard.push(entry));
    assert.equal(logs.isFollowed('hello'), true);
    const report = {
      functionName: 'hello',
      version: '$LATEST',
      requestId: 'r1',
      startedMs: 10,
      endedMs: 22,
      durationMs: 12.344,
      billedMs: 13,
      memoryMiB: 128,
      usedMiB: 40,
      initMs: 1.5,
      status: 'Status: error\tError Type: "x"',
      begun: false,
      start: undefined,
      waitedMs: 0,
    };
    logs.report(report);
    stop();
    assert.equal(logs.isFollowed('hello'), false);
    logs.append(line('hello', 30));
    logs.report({ ...report, requestId: 'r"2', startedMs: 30, endedMs: 31, initMs: undefined, status: '', begun: true });
    await logs.close();
    logs = await home.open();
    closeAfter(t, () => logs.close());
    const told = (entries: readonly LogEntry[]) => entries.map(({ timeMs, requestId, text }) => [timeMs, requestId, text]);
    const first = [
      [10, 'r1', 'START RequestId: r1 Version: $LATEST'],
      [22, 'r1', 'END RequestId: r1'],
      [
        22,
        'r1',
        'REPORT RequestId: r1\tDuration: 12.34 ms\tBilled Duration: 13 ms\tMemory Size: 128 MB\tMax Memory Used: 40 MB\tInit Duration: 1.50 ms\tStatus: error\tError Type: "x"',
      ],
    ];
    const second = [
      [31, 'r"2', 'END RequestId: r"2'],
      [31, 'r"2', 'REPORT RequestId: r"2\tDuration: 12.34 ms\tBilled Duration: 13 ms\tMemory Size: 128 MB\tMax Memory Used: 40 MB\t'],
    ];
    assert.deepEqual(told(heard), first);
    assert.deepEqual(told(await logs.read('hello', {})), [...first, [30, undefined, 'line 30'], ...second]);
    assert.deepEqual(told(await logs.read('hello', { requestId: 'r"2' })), second);
    assert.deepEqual(told(await logs.read('hello', { sinceMs: 20, requestId: 'r1' })), first.slice(1));
    // The latest, wherever in a record the limit falls.
    assert.deepEqual(told(await logs.read('hello', { limit: 4 })), [first[2], [30, undefined, 'line 30'], ...second]);
  });

  test(`${name}: starts are read with their steps, by kind and by id, and are no lines of the log`, async (t) => {
    const home = await place(t);
    let logs = await home.open();
    const report = (requestId: string, more: Partial<InvocationReport>): InvocationReport => ({
      functionName: 'hello',
      version: '7',
      requestId,
      startedMs: 1_005,
      endedMs: 1_017,
      durationMs: 12.344,
      billedMs: 13,
      memoryMiB: 128,
      usedMiB: 40,
      initMs: undefined,
      status: '',
      begun: false,
      start: undefined,
      waitedMs: 0,
      ...more,
    });
    const steps = [
      { name: 'boot ordered', atMs: -3.25 },
      { name: 'arrived', atMs: 0 },
      { name: 'ended', atMs: 17.34 },
    ];
    const alone: LoneStart = {
      id: 'lone',
      functionName: 'hello',
      version: '7',
      timeMs: 900,
      start: {
        kind: 'boot',
        cause: 'deployed',
        steps: [
          { name: 'boot ordered', atMs: 0 },
          { name: 'template ready', atMs: 8.5 },
        ],
      },
    };
    logs.started(alone);
    logs.report(report('r1', { start: { kind: 'boot', cause: 'first call', detail: 'a "b"', steps }, waitedMs: 5 }));
    logs.report(report('r2', { start: { kind: 'warm', cause: 'idle' } }));
    logs.report(report('r3', { start: { kind: 'warm', cause: 'waited for a busy one' }, waitedMs: 2.5 }));
    logs.report(
      report('r4', { functionName: 'Other', start: { kind: 'fork', cause: 'all busy', steps: [{ name: 'spare taken', atMs: 0.1 }] } }),
    );
    // It got no instance.
    logs.report(report('r5', {}));
    const known = { functionName: 'hello', version: '7' };
    const warmTotal = { name: 'ended', atMs: 12.34 };
    const expected = [
      { id: 'lone', ...known, invoked: false, timeMs: 900, kind: 'boot', cause: 'deployed', totalMs: 8.5, steps: alone.start.steps },
      { id: 'r1', ...known, invoked: true, timeMs: 1_000, kind: 'boot', cause: 'first call', detail: 'a "b"', totalMs: 17.34, steps },
      { id: 'r2', ...known, invoked: true, timeMs: 1_005, kind: 'warm', cause: 'idle', totalMs: 12.34, steps: [ARRIVED, warmTotal] },
      {
        ...{ id: 'r3', ...known, invoked: true, timeMs: 1_002, kind: 'warm', cause: 'waited for a busy one', totalMs: 14.84 },
        steps: [ARRIVED, { name: 'decided', atMs: 2.5 }, { name: 'ended', atMs: 14.84 }],
      },
    ];
    for (const reopen of [false, true]) {
      if (reopen) {
        await logs.close();
        logs = await home.open();
      }
      assert.deepEqual(await logs.starts('hello', {}), expected);
      assert.deepEqual(await logs.starts('hello', { limit: 2 }), expected.slice(2));
      assert.deepEqual(await logs.starts('hello', { kind: 'boot' }), expected.slice(0, 2));
      assert.deepEqual(await logs.starts('hello', { kind: 'spawn' }), []);
      assert.deepEqual(await logs.starts('nobody', {}), []);
      const names = ['nobody', 'hello', 'Other'];
      assert.deepEqual(await logs.findStart('r1', names), expected[1]);
      assert.deepEqual(await logs.findStart('lone', names), expected[0]);
      assert.equal((await logs.findStart('r4', names))!.from, 'spare');
      assert.equal(await logs.findStart('r4', ['hello']), undefined);
      for (const id of ['r', 'r5', 'r9']) assert.equal(await logs.findStart(id, names), undefined);
      assert.equal((await logs.read('hello', {})).length, 12, 'three lines for each report, and none for what stands alone');
    }
    await logs.delete('hello');
    assert.equal(await logs.findStart('r1', ['hello']), undefined);
    await logs.close();
  });

  test(`${name}: invocations are read as they were reported, oldest first, each function by itself`, async (t) => {
    const home = await place(t);
    let logs = await home.open();
    const report = (functionName: string, index: number, more: Partial<InvocationReport> = {}): InvocationReport => ({
      ...{
        functionName,
        version: '7',
        requestId: `r${index}`,
        startedMs: 1_000 + index,
        endedMs: 1_010 + index,
        durationMs: 10.25,
        billedMs: 11,
      },
      ...{
        memoryMiB: 128,
        usedMiB: 40,
        initMs: undefined,
        status: '',
        begun: false,
        start: { kind: 'warm', cause: 'idle' },
        waitedMs: 0,
        ...more,
      },
    });
    const first = report('hello', 0, { initMs: 8.5, waitedMs: 20.5, start: { kind: 'fork', cause: 'no instance' }, trigger: 'http' });
    // More than one read of a file brings.
    const reports = [first, ...Array.from({ length: 2_500 }, (_, index) => report('hello', index + 1))];
    for (const each of reports) {
      logs.report(each);
      logs.append(line('hello', each.startedMs));
    }
    logs.report(report('other', 1));
    logs.started({ id: 'lone', functionName: 'hello', version: '7', timeMs: 900, start: { kind: 'boot', cause: 'deployed' } });
    const all = async (functionName: string) => {
      const found: InvocationReport[] = [];
      for await (const batch of logs.invocations(functionName)) {
        assert.equal(batch.cut, false);
        found.push(...batch.reports);
      }
      return found;
    };
    for (const reopen of [false, true]) {
      if (reopen) {
        await logs.close();
        logs = await home.open();
      }
      assert.deepEqual(await all('hello'), reports);
      assert.equal((await all('other')).length, 1);
      assert.deepEqual(await all('nobody'), []);
    }
    await logs.delete('hello');
    assert.deepEqual(await all('hello'), []);
    await logs.close();
  });

  test(`${name}: any entries, under any function names, are read as they were appended`, async (t) => {
    const home = await place(t);
    const entry = fc.record(
      {
        functionName: fc.oneof(
          fc.constantFrom('hello', 'Hello', '../hello', 'hello.log', 'x'.repeat(300), '.', ''),
          fc.string({ unit: 'binary' }),
        ),
        timeMs: fc.nat(),
        text: fc.string({ unit: 'binary' }),
        requestId: fc.string(),
        level: fc.constantFrom('INFO', 'ERROR'),
      },
      { requiredKeys: ['functionName', 'timeMs', 'text'], noNullPrototype: true },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(entry, { maxLength: 20 }), fc.boolean(), async (entries, reopen) => {
        let logs = await home.open();
        for (const appended of entries) logs.append(appended);
        if (reopen) {
          await logs.close();
          logs = await home.open();
        }
        for (const functionName of new Set(entries.map((appended) => appended.functionName))) {
          assert.deepEqual(
            await logs.read(functionName, {}),
            entries.filter((appended) => appended.functionName === functionName),
          );
          await logs.delete(functionName);
        }
        await logs.close();
      }),
      { numRuns: 30 },
    );
  });

  test(`${name}: a query takes the latest that match, by time and request`, async (t) => {
    const logs = await opened(t);
    const entries = Array.from({ length: 2_000 }, (_, index) => line('hello', index, { requestId: `r${index % 2}` }));
    for (const entry of entries) logs.append(entry);
    const odd = entries.filter((entry) => entry.requestId === 'r1');
    assert.deepEqual(await logs.read('hello', {}), entries.slice(1_000));
    assert.deepEqual(await logs.read('hello', { limit: 3 }), entries.slice(-3));
    assert.deepEqual(await logs.read('hello', { sinceMs: 1_990 }), entries.slice(1_990));
    assert.deepEqual(await logs.read('hello', { requestId: 'r1', limit: 2_000 }), odd);
    assert.deepEqual(await logs.read('hello', { requestId: 'r1', sinceMs: 1_000, limit: 5 }), odd.slice(-5));
    assert.deepEqual(await logs.read('hello', { requestId: 'r' }), []);
    assert.deepEqual(await logs.read('hello', { limit: 0 }), []);
  });

  test(`${name}: no query returns more than 10,000 entries`, async (t) => {
    const logs = await opened(t);
    for (let index = 0; index < 10_050; index++) logs.append(line('hello', index));
    const found = await logs.read('hello', { limit: 1_000_000 });
    assert.equal(found.length, 10_000);
    assert.equal(found.at(-1)!.timeMs, 10_049);
  });

  test(`${name}: a follower gets what is appended from then on, at once, until it stops`, async (t) => {
    const logs = await opened(t);
    const seen: number[] = [];
    logs.append(line('hello', 1));
    const stop = logs.follow('hello', (entry) => seen.push(entry.timeMs));
    logs.append(line('hello', 2));
    logs.append(line('other', 3));
    assert.deepEqual(seen, [2]);
    stop();
    stop();
    logs.append(line('hello', 4));
    assert.deepEqual(seen, [2]);
  });

  test(`${name}: followers of one function are apart from each other, also one that fails or stops another`, async (t) => {
    const logs = await opened(t);
    const seen: string[] = [];
    const onEntry = (entry: LogEntry) => void seen.push(`shared ${entry.timeMs}`);
    const stopFirst = logs.follow('hello', onEntry);
    logs.follow('hello', onEntry);
    logs.follow('hello', () => {
      stopFirst();
      throw new Error('a follower that fails');
    });
    logs.append(line('hello', 1));
    logs.append(line('hello', 2));
    assert.deepEqual(seen, ['shared 1', 'shared 1', 'shared 2']);
    assert.equal((await logs.read('hello', {})).length, 2);
  });

  test(`${name}: a deleted function's lines are forgotten, a new function of that name starts empty`, async (t) => {
    const logs = await opened(t);
    logs.append(line('hello', 1));
    await logs.flush();
    logs.append(line('hello', 2));
    logs.append(line('other', 3));
    await logs.delete('hello');
    assert.deepEqual(await logs.read('hello', {}), []);
    logs.append(line('hello', 4));
    assert.deepEqual(await logs.read('hello', {}), [line('hello', 4)]);
    assert.equal((await logs.read('other', {})).length, 1);
    await logs.delete('nobody');
  });

  test(`${name}: text over the limit of a line is cut and says so`, async (t) => {
    const logs = await opened(t);
    logs.append(line('hello', 1, { text: 'x'.repeat(300 * 1024) }));
    const [entry] = await logs.read('hello', {});
    assert.equal(entry!.text.length, 256 * 1024);
    assert.match(entry!.text.slice(-20), /x \[cut\]$/);
  });

  test(`${name}: closing keeps what was appended; appending afterwards is ignored, not an error`, async (t) => {
    const home = await place(t);
    const before = await home.open();
    for (let index = 0; index < 100; index++) before.append(line('hello', index));
    await before.close();
    before.append(line('hello', 1_000));
    const after = await home.open();
    closeAfter(t, () => after.close());
    assert.equal((await after.read('hello', {})).length, 100);
  });
}

const ARRIVED = { name: 'arrived', atMs: 0 };
