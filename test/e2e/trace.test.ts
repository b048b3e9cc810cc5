import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../temporary.ts';
import { runHearth, startPlatform } from './cli-platform.ts';
import type { Platform } from './cli-platform.ts';
import { eventually, layBesideCode } from './platform.ts';

type Start = {
  readonly id: string;
  readonly invoked: boolean;
  readonly kind: string;
  readonly cause: string;
  readonly totalMs: number;
  readonly steps: readonly { readonly name: string; readonly atMs: number }[];
};

const SLOW = `import { existsSync } from 'node:fs';
export const handler = async ({ waits = false }) => {
  while (waits && !existsSync(process.env.LAMBDA_TASK_ROOT + '/go')) await new Promise((done) => setTimeout(done, 5));
  return 'done';
};
`;

test('each start is recorded with its reason and its steps: boot, warm, fork, and all of them after a restart', async (t) => {
  const data = join(temporaryDirectory(t), 'data');
  const cwd = temporaryDirectory(t);
  await runHearth(['init', 'slow'], { cwd });
  await writeFile(join(cwd, 'slow/index.ts'), SLOW);
  await writeFile(join(cwd, 'slow/hearth.json'), JSON.stringify({ name: 'slow', timeout: 60 }));
  const first = await startPlatform(t, [], data);
  await first.json(['deploy', 'slow'], { cwd });
  const { isolated } = await info(first);
  // Until the template is there, so that what the calls find is known.
  while (!(await list(first)).some(({ cause }) => cause === 'deployed')) await new Promise((resolve) => setTimeout(resolve, 20));
  const forked = await invoke(first);
  const warm = await invoke(first);
  const both = Promise.all([invoke(first, true), invoke(first, true)]);
  await eventually(async () => assert.equal(await busy(first), 2));
  layBesideCode(first, 'go');
  const [one, other] = await both;
  const starts = await list(first);
  const reason = (id: string, among = starts) => {
    const { kind, cause } = among.find((start) => start.id === id)!;
    return `${kind}: ${cause}`;
  };
  const made = isolated ? 'fork' : 'spawn';
  assert.deepEqual([starts[0]!.invoked, starts[0]!.kind, starts[0]!.cause], [false, isolated ? 'boot' : 'spawn', 'deployed']);
  assert.equal(reason(forked), `${made}: no instance`);
  assert.equal(reason(warm), 'warm: idle');
  // After short ones the second may at first have been left to wait for the busy instance.
  const [cold, idle] = [reason(one), reason(other)].toSorted();
  assert.match(cold!, new RegExp(`^${made}: (all busy|the line was long|waited as long as a start takes)$`));
  assert.equal(idle, 'warm: idle');
  const { steps, totalMs } = await first.json<Start>(['trace', forked]);
  assert.deepEqual(steps.at(-1), { name: 'ended', atMs: totalMs });
  const names = steps.map(({ name }) => name);
  for (const name of ['arrived', 'decided', 'event read', 'answered']) assert.ok(names.includes(name), `${name}: ${names.join()}`);
  assert.deepEqual(
    steps,
    steps.toSorted((a, b) => a.atMs - b.atMs),
  );
  assert.match((await first.hearth(['trace', forked])).stdout, /STEP +AT MS +TOOK MS/);

  assert.equal(await first.stop('SIGTERM'), 0);
  // Otherwise the function would be there before its call.
  const second = await startPlatform(t, ['--warming', 'none'], data);
  assert.deepEqual(await second.json<Start>(['trace', forked]), { ...(await second.json<Start>(['trace', forked])), steps });
  const again = await invoke(second);
  assert.equal(reason(again, await list(second)), `${isolated ? 'boot' : 'spawn'}: first call`);
  const boot = await second.json<Start>(['trace', again]);
  for (const name of ['boot ordered', 'module loaded', 'ready heard', 'event read'])
    assert.ok(
      boot.steps.some((step) => step.name === name && step.atMs >= 0 && step.atMs <= boot.totalMs),
      name,
    );
});

const list = (platform: Platform) => platform.json<Start[]>(['trace', 'slow']);

/** Without a process of its own: two at a time are to meet. */
async function invoke(platform: Platform, waits = false): Promise<string> {
  const response = await fetch(`${platform.url}/2015-03-31/functions/slow/invocations`, {
    method: 'POST',
    body: JSON.stringify({ waits }),
  });
  assert.equal(await response.text(), '"done"');
  return response.headers.get('x-amzn-requestid')!;
}

async function busy({ url }: Platform): Promise<number> {
  const { deployments } = (await (await fetch(`${url}/_hearth/stats`)).json()) as { deployments: { busy: number }[] };
  return deployments.reduce((sum, deployment) => sum + deployment.busy, 0);
}

async function info(platform: Platform): Promise<{ readonly isolated: boolean }> {
  return (await (await fetch(`${platform.url}/_hearth/info`)).json()) as { readonly isolated: boolean };
}
