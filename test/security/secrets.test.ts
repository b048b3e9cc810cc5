/** Values of environment variables: the function has them, whoever asks the API by right, and nobody and nothing else. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  CreateFunctionCommand,
  GetFunctionConfigurationCommand,
  PublishVersionCommand,
  UpdateFunctionConfigurationCommand,
} from '@aws-sdk/client-lambda';
import { temporaryDirectory } from '../temporary.ts';
import { SqliteStore } from '../../src/adapters/sqlite/mod.ts';
import { ROOT, runHearth } from '../e2e/cli-platform.ts';
import { descendants } from '../e2e/footprint.ts';
import { functionOf, startIsolated, zipOf } from '../e2e/platform.ts';
import type { Isolated } from '../e2e/platform.ts';

const SECRET = 'correct-horse-battery-staple';
const VARIABLES = { PASSWORD: SECRET, TOKEN: `${SECRET}-too` };
const SOURCES = {
  keeps: `export const handler = async () => process.env.PASSWORD.length + process.env.TOKEN.length;`,
  throws: `export const handler = async () => { throw new Error('no'); };`,
  exits: `export const handler = async () => process.exit(3);`,
  stillborn: `throw new Error('never up');`,
  spins: `export const handler = async () => { for (;;); };`,
  floods: `export const handler = async () => { process.stdout.write(Buffer.alloc(100_000, 255)); process.stderr.write('odd'); return 1; };`,
};

test('the values of environment variables', { timeout: 300_000 }, async (t) => {
  // Whatever the platform ever says of itself.
  process.env['HEARTH_LOG'] = 'debug';
  const data = temporaryDirectory(t);
  const isolated = await startIsolated(t, data);
  if (!isolated) return;
  let said = saidBy(isolated);
  for (const [name, source] of Object.entries(SOURCES))
    await isolated.create(name, source, { Timeout: name === 'spins' ? 1 : 60, Environment: { Variables: VARIABLES } });
  const nowhere = () => {
    assert.deepEqual(holders(data), [], 'in the data directory');
    assert.ok(!said().includes(SECRET), 'in what the platform says');
  };

  await t.test('reach the function, and the caller of the API', async () => {
    assert.equal((await isolated.invoke('keeps')).value, SECRET.length * 2 + 4);
    const configuration = await isolated.client.send(new GetFunctionConfigurationCommand({ FunctionName: 'keeps' }));
    assert.deepEqual(configuration.Environment, { Variables: VARIABLES });
  });
  await t.test('are in no file after they were set, published and changed', async () => {
    await isolated.client.send(new PublishVersionCommand({ FunctionName: 'keeps' }));
    const Environment = { Variables: { ...VARIABLES, MORE: SECRET } };
    await isolated.client.send(new UpdateFunctionConfigurationCommand({ FunctionName: 'keeps', Environment }));
    await isolated.invoke('keeps:1');
    nowhere();
  });
  await t.test('are in no log and no answer of functions that fail', async () => {
    for (const name of ['throws', 'exits', 'stillborn', 'spins', 'floods']) {
      const answer = await isolated.invoke(name);
      assert.ok(!JSON.stringify(answer).includes(SECRET), name);
      const url = await isolated.url(name);
      assert.ok(!(await (await fetch(url)).text()).includes(SECRET), name);
    }
    nowhere();
  });
  await t.test('that are refused are repeated to the caller as Lambda does, and to nobody else', async () => {
    const create = (Variables: Record<string, string>) =>
      isolated.client.send(new CreateFunctionCommand({ ...functionOf('refused', zipOf('')), Environment: { Variables } }));
    await assert.rejects(create({ BIG: SECRET.repeat(200) }), { name: 'InvalidParameterValueException', message: new RegExp(SECRET) });
    for (const variables of [{ AWS_REGION: SECRET }, { '1': SECRET }, { A: SECRET, 'B C': SECRET }])
      await assert.rejects(create(variables), (error: Error) => !error.message.includes(SECRET));
    const body = JSON.stringify({ ...functionOf('refused', Buffer.alloc(0)), Environment: { Variables: { A: [SECRET] } } });
    const answer = await fetch(`${isolated.platform.url}/2015-03-31/functions`, { method: 'POST', body });
    assert.ok(answer.status === 400 && !(await answer.text()).includes(SECRET));
    const broken = await fetch(`${isolated.platform.url}/2015-03-31/functions`, { method: 'POST', body: `{"Environment": ${SECRET}` });
    assert.equal(broken.status, 400);
    nowhere();
  });
  await t.test("are in no process's command line, nor in the environment it began with", async () => {
    await isolated.invoke('keeps');
    const family = [isolated.platform.process.pid!, ...descendants(isolated.platform.process.pid!)];
    assert.ok(family.length > 3);
    for (const pid of family)
      for (const file of ['cmdline', 'environ', 'comm', 'status', 'mountinfo']) assert.ok(!ofProcess(pid, file).includes(SECRET), file);
  });
  await t.test('are shown by the command line only when asked for', async () => {
    for (const args of [['get', 'keeps'], ['get', 'keeps', '--json'], ['list'], ['list', '--json'], ['logs', 'keeps', '--json']]) {
      const { stdout, stderr, code } = await isolated.platform.hearth(args);
      assert.equal(code, 0);
      assert.ok(!`${stdout}${stderr}`.includes(SECRET), args.join(' '));
    }
    const shown = await isolated.platform.json<{ Environment: object }>(['get', 'keeps']);
    assert.deepEqual(shown.Environment, { Names: ['PASSWORD', 'TOKEN', 'MORE'] });
    const asked = await isolated.platform.json<{ Environment: object }>(['get', 'keeps', '--show-values']);
    assert.deepEqual(asked.Environment, { Variables: { ...VARIABLES, MORE: SECRET } });
    assert.match((await isolated.platform.hearth(['get', 'keeps', '--show-values'])).stdout, new RegExp(`PASSWORD="${SECRET}"`));
  });

  await t.test('are there after a new start and a change of the sealing key, and with another key nothing starts', async (inner) => {
    await isolated.platform.stop();
    nowhere();
    const rotated = await runHearth(['keys', 'rotate', '--data', data, '--json']);
    assert.equal(rotated.code, 0, rotated.stderr);
    const keyFile = join(data, 'sealing.key');
    const key = readFileSync(keyFile);
    writeFileSync(keyFile, Buffer.alloc(32, 1));
    const refused = await runHearth(['up', '--port', '0', '--data', data, '--json'], { cwd: ROOT });
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /"code":"SealingKeyUnusable"/);
    rmSync(keyFile);
    // From here on it lies elsewhere.
    process.env['HEARTH_KEY_FILE'] = join(temporaryDirectory(t), 'key');
    writeFileSync(process.env['HEARTH_KEY_FILE'], key);
    await moveEnvironment(data, 'keeps', 'throws');
    const again = (await startIsolated(inner, data))!;
    said = saidBy(again);
    assert.equal(existsSync(keyFile), false);
    assert.equal((await again.invoke('keeps')).value, SECRET.length * 2 + 4);
    assert.equal((await again.invoke('keeps:1')).value, SECRET.length * 2 + 4);

    const moved = await again.client.send(new GetFunctionConfigurationCommand({ FunctionName: 'throws' }));
    assert.deepEqual(Object.keys(moved.Environment!), ['Error']);
    assert.equal(moved.Environment!.Error!.ErrorCode, 'AccessDeniedException');
    assert.match(moved.Environment!.Error!.Message!, /^Lambda was unable to decrypt/);
    assert.deepEqual([moved.State, moved.StateReasonCode], ['Failed', 'KMSKeyAccessDenied']);
    await assert.rejects(again.invoke('throws'), { name: 'KMSAccessDeniedException' });
    assert.match((await again.platform.hearth(['get', 'throws'])).stdout, /environment +cannot be opened/);
    await again.client.send(new UpdateFunctionConfigurationCommand({ FunctionName: 'throws', Environment: { Variables: {} } }));
    assert.equal((await again.invoke('throws')).error?.errorMessage, 'no');
    nowhere();
  });
});

/** As somebody would who can write the database and has no key. */
async function moveEnvironment(data: string, from: string, to: string): Promise<void> {
  type Stored = { readonly latest: { readonly settings: { sealedEnvironment?: string } } };
  const store = await SqliteStore.open({ path: join(data, 'store.db') });
  const theirs = (await store.get<Stored>(`functions/${from}`))!.value.latest.settings.sealedEnvironment!;
  const { value } = (await store.get<Stored>(`functions/${to}`))!;
  value.latest.settings.sealedEnvironment = theirs;
  await store.commit([{ kind: 'put', key: `functions/${to}`, value }]);
  await store.close();
}

function saidBy({ platform }: Isolated): () => string {
  let said = '';
  for (const stream of [platform.process.stderr!, platform.process.stdout!])
    stream.on('data', (chunk: Buffer) => (said += chunk.toString('latin1')));
  return () => said;
}

/** Names of the files below that have the secret in them. */
function holders(directory: string): string[] {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  assert.ok(files.length > 5);
  return files.map((entry) => join(entry.parentPath, entry.name)).filter((path) => contentOf(path).includes(SECRET));
}

function contentOf(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch (error) {
    // Files come and go while the platform runs.
    assert.equal((error as NodeJS.ErrnoException).code, 'ENOENT');
    return '';
  }
}

function ofProcess(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1');
  } catch (error) {
    // It has ended meanwhile.
    assert.match(String((error as NodeJS.ErrnoException).code), /^(ENOENT|ESRCH|EINVAL)$/);
    return '';
  }
}
