/** Functions that misbehave: each gets Lambda's error for it, and its neighbour answers all the while. */
import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { footprint, memoryMiB } from './footprint.ts';
import { eventually, startIsolated, startNeighbour } from './platform.ts';

const MISFIT = readFileSync(join(import.meta.dirname, 'misfit.mjs'), 'utf8');
const TIMEOUT_SECONDS = 2;
const MiB = 1024 * 1024;
/** Lambda's limit of a buffered answer. */
const ANSWER_BYTES = 6 * MiB + 100;

const id = 'RequestId: [0-9a-f-]{36} ';
const timedOut = [/^Sandbox\.Timedout$/, new RegExp(`^${id}Error: Task timed out after 2\\.00 seconds$`)] as const;
const exited = (reason: string) => [/^Runtime\.ExitError$/, new RegExp(`^${id}Error: Runtime exited ${reason}$`)] as const;
const noMemory = [/^Runtime\.OutOfMemory$/, new RegExp(`^${id}Error: Runtime exited with error: signal: killed$`)] as const;
const tooLarge = [
  /^Function\.ResponseSizeTooLarge$/,
  /^Response payload size exceeded maximum allowed payload size \(6291556 bytes\)\.$/,
] as const;

type Deed = { readonly deed: string; readonly [option: string]: unknown };
const FAILURES: readonly (readonly [Deed, readonly [type: RegExp, message: RegExp]])[] = [
  [{ deed: 'spin' }, timedOut],
  [{ deed: 'exit' }, exited('with error: exit status 3')],
  [{ deed: 'exitQuietly' }, exited('without providing a reason')],
  [{ deed: 'segfault' }, exited('with error: signal: segmentation fault')],
  [{ deed: 'abort' }, exited('with error: signal: aborted')],
  [{ deed: 'hoardHeap' }, noMemory],
  // The allocation that fails is JavaScript's own, which throws, or V8's, which ends the process.
  [{ deed: 'hoardBuffers' }, [/^(Runtime\.OutOfMemory|RangeError)$/, /./]],
  [{ deed: 'hoardInChildren' }, [/^(Runtime\.OutOfMemory|Error)$/, /killed/]],
  [{ deed: 'floodLines' }, timedOut],
  [{ deed: 'floodOneLine' }, timedOut],
  [{ deed: 'floodRaw' }, timedOut],
  [{ deed: 'floodRawLines' }, timedOut],
  [{ deed: 'floodFromChild' }, timedOut],
  [{ deed: 'fillTmp' }, [/^Error$/, /^ENOSPC: no space left on device/]],
  [{ deed: 'fillTmpWithFiles' }, [/^Error$/, /^ENOSPC: no space left on device/]],
  [{ deed: 'leaveDaemons' }, timedOut],
  // Where memory is counted for all of them together, so many are too large.
  [{ deed: 'forkBomb' }, [/^(Sandbox\.Timedout|Runtime\.OutOfMemory)$/, /timed out|killed/]],
  [{ deed: 'openFiles' }, [/^Error$/, /^EMFILE: too many open files/]],
  [{ deed: 'ignoreSignals' }, timedOut],
  [{ deed: 'neverAnswer' }, timedOut],
  [{ deed: 'neverSettle' }, [/^Runtime\.NodeJsExit$/, /^The Lambda runtime client detected an unexpected Node\.js exit code\./]],
  [{ deed: 'answer', bytes: ANSWER_BYTES + 1 }, tooLarge],
  [{ deed: 'throwHuge' }, [/^Error$/, /^e{262144}\.\.\. \(cut\)$/]],
  [{ deed: 'throwStrange' }, [/^n{256}\.\.\. \(cut\)$/, /^x$/]],
  [{ deed: 'throwProxy' }, [/^handled$|^Error$/, /./]],
  [{ deed: 'recurse' }, [/^RangeError$/, /^Maximum call stack size exceeded$/]],
  [{ deed: 'rejectUnheard' }, [/^Runtime\.UnhandledPromiseRejection$/, /^TypeError: nobody listens$/]],
  [{ deed: 'throwLater' }, [/^TypeError$/, /^late$/]],
];

test('functions that misbehave are contained', { timeout: 300_000 }, async (t) => {
  const isolated = await startIsolated(t);
  if (!isolated) return;
  const { platform } = isolated;
  await isolated.create('misfit', MISFIT, { Timeout: TIMEOUT_SECONDS, MemorySize: 128 });
  // For what ends by itself, however busy the machine is.
  await isolated.create('patient-misfit', MISFIT, { Timeout: 60, MemorySize: 128 });
  const neighbour = await startNeighbour(isolated);
  const afterwards = async (name = 'misfit') => {
    await isolated.healthy();
    assert.equal((await isolated.invoke(name, { deed: 'behave' })).value, 'well');
  };

  for (const [deed, [type, message]] of FAILURES) {
    await t.test(deed.deed, async () => {
      const before = neighbour.answers;
      const name = type.test('Sandbox.Timedout') ? 'misfit' : 'patient-misfit';
      const { error, log } = await isolated.invoke(name, deed);
      const seen = `${error?.errorType}: ${error?.errorMessage.slice(0, 500)}\n${log}`;
      assert.match(error?.errorType ?? '(answered)', type, seen);
      assert.match(error!.errorMessage, message, seen);
      assert.match(log, /REPORT RequestId: /);
      // Clearing away after the worst of them takes a while.
      await eventually(() => afterwards(name));
      await eventually(() => assert.ok(neighbour.answers > before, 'the neighbour has answered meanwhile'));
    });
  }

  await t.test('what is allowed to the last byte passes', async () => {
    const { value } = await isolated.invoke('patient-misfit', { deed: 'answer', bytes: ANSWER_BYTES });
    assert.equal((value as string).length, ANSWER_BYTES - 2);
  });

  await t.test('a child process is limited like its instance', async () => {
    const { value, error } = await isolated.invoke('patient-misfit', { deed: 'hoardInChild' });
    // Control groups of version 2 end all of an instance together.
    assert.ok(value === true || error?.errorType === 'Runtime.OutOfMemory', JSON.stringify(value));
    await afterwards('patient-misfit');
  });

  await t.test('an answer that nests too deep is none', async () => {
    const url = await isolated.url('patient-misfit');
    const nested = async (depth: number) => fetch(url, { method: 'POST', body: JSON.stringify({ deed: 'answerDeeply', depth }) });
    assert.equal((await nested(500)).status, 200);
    assert.equal((await nested(5_000)).status, 502);
    await afterwards('patient-misfit');
  });

  await t.test('output that goes on after the answer keeps nobody waiting, and ends with the instance', async () => {
    for (let i = 0; i < 3; i++) assert.equal((await isolated.invoke('patient-misfit', { deed: 'floodLater' })).value, true);
    const before = neighbour.answers;
    await eventually(() => assert.ok(neighbour.answers > before + 20));
    await isolated.invoke('patient-misfit', { deed: 'exit' });
  });

  await t.test('a pipe that init left in /tmp is no hindrance', async () => {
    await isolated.create('piper', MISFIT, { Environment: { Variables: { PIPE_IN_TMP: 'yes' } } });
    for (let i = 0; i < 3; i++) assert.equal((await isolated.invoke('piper', { deed: 'behave' })).value, 'well');
  });

  await t.test('nothing of them is left', async () => {
    await eventually(() => assert.deepEqual(strangers(footprint(platform).processes), []));
    const logBytes = footprint(platform).logs.reduce((sum, name) => sum + statSync(join(platform.data, 'logs', name)).size, 0);
    assert.ok(logBytes < 4 * 17 * MiB, `${logBytes} bytes of logs`);
    const usedMiB = memoryMiB(platform.process.pid!);
    t.diagnostic(`the platform uses ${usedMiB.toFixed()} MiB, its logs ${(logBytes / MiB).toFixed()} MiB`);
    assert.ok(usedMiB < 800, `${usedMiB} MiB`);
  });
  await neighbour.stop();
});

const strangers = (processes: readonly string[]): string[] => processes.filter((name) => /^(sleep|yes|sh|setsid|mkfifo)$/.test(name));
