import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { archiveBytes, dockerFiles, sha256, tarBytes } from '../../src/adapters/images/image-bytes.testing.ts';
import { LIMITS } from '../../src/kernel/mod.ts';
import { temporaryDirectory } from '../temporary.ts';
import { noCompiler } from '../container-images.testing.ts';
import { pathForm, runHearth, startPlatform } from './cli-platform.ts';
import { eventually } from './platform.ts';

type ImageView = { readonly digest: string; readonly layers: readonly string[] };
type Key = { readonly accessKeyId: string; readonly secretAccessKey: string };

test('an image is pushed in signed pieces, listed, kept over a restart, and deleted', async (t) => {
  const data = temporaryDirectory(t);
  const made = await runHearth(['keys', 'create', '--data', data, '--json']);
  const key = JSON.parse(made.stdout) as Key;
  const env = { AWS_ACCESS_KEY_ID: key.accessKeyId, AWS_SECRET_ACCESS_KEY: key.secretAccessKey };
  const platform = await startPlatform(t, ['--auth', '--driver', 'spawn'], data);

  const content = randomBytes(LIMITS.images.uploadPieceBytes + 1_000);
  const layer = await tarBytes([{ name: 'srv/random', content }]);
  const architecture = process.arch === 'arm64' ? 'arm64' : 'amd64';
  const file = join(temporaryDirectory(t), 'image.tar');
  await writeFile(file, await archiveBytes(dockerFiles({ layers: [layer], architecture, config: { Cmd: ['/srv/start'] } })));

  const refused = await platform.hearth(['images', 'push', file]);
  assert.deepEqual([refused.code, /MissingAuthenticationToken/.test(refused.stderr)], [1, true], refused.stderr);
  const image = await platform.json<ImageView>(['images', 'push', file], { env });
  assert.deepEqual(image.layers, [sha256(layer)]);
  const unpacked = join(data, 'code/images');
  assert.deepEqual(await readFile(join(unpacked, 'images', image.digest.replace(':', '-'), 'root/srv/random')), content);
  assert.deepEqual(await platform.json(['images', 'push', file], { env }), image);
  assert.match((await platform.hearth(['images', 'push', file], { env })).stdout, /1 layers, there already/);
  assert.deepEqual(await readdir(join(data, 'images/uploads')), []);

  await writeFile(file, (await readFile(file)).subarray(0, 1_000_000));
  const cut = await platform.hearth(['images', 'push', file], { env });
  assert.match(cut.stderr, /error ImageDamaged: [^]*docs\/errors\/ImageDamaged.md/);
  assert.deepEqual(await readdir(join(data, 'images/uploads')), []);

  assert.equal(await platform.stop(), 0);
  const again = await startPlatform(t, ['--auth', '--driver', 'spawn'], data);
  assert.match((await again.hearth(['images', 'list'], { env })).stdout, new RegExp(`${image.digest}.*${architecture}.*/srv/start`));
  await again.json(['images', 'delete', image.digest], { env });
  assert.deepEqual(await again.json(['images', 'list'], { env }), []);
  const missing = await again.hearth(['images', 'delete', image.digest], { env });
  assert.deepEqual([missing.code, /ImageNotFound/.test(missing.stderr)], [1, true], missing.stderr);
  assert.deepEqual(await readdir(join(unpacked, 'layers')), []);
});

test('what is no archive is refused before anything is sent', async (t) => {
  const platform = await startPlatform(t, ['--driver', 'spawn']);
  for (const path of [temporaryDirectory(t), join(temporaryDirectory(t), 'nothing')]) {
    const ran = await platform.hearth(['images', 'push', path]);
    assert.deepEqual([ran.code, /BadUsage/.test(ran.stderr)], [2, true], ran.stderr);
  }
});

const noImages = process.platform === 'linux' ? noCompiler : 'images need sandboxes';

test('the image template makes an image without container tools, and its server greets', { skip: noImages }, async (t) => {
  const platform = await startPlatform(t);
  const cwd = temporaryDirectory(t);
  assert.equal((await runHearth(['init', 'Greeter_1', '--template', 'image'], { cwd })).code, 0);
  type Deployed = { readonly url: string; readonly changed: readonly string[] };
  const deployed = await platform.json<Deployed>(['deploy', 'Greeter_1'], { cwd });
  assert.deepEqual(deployed.changed, ['created']);
  const url = pathForm(platform, deployed.url);
  for (const [path, greeted] of Object.entries({ '/': 'world', '/Ada': 'Ada' })) {
    const answer = await fetch(`${url}${path}`);
    assert.deepEqual([answer.headers.get('content-type'), await answer.text()], ['text/plain', `Hello, ${greeted}!\n`]);
  }
  await eventually(async () => assert.match((await platform.hearth(['logs', 'Greeter_1', '--since', '10m'])).stdout, /greeted Ada/));
  // The same sources make the same archive, which the platform knows.
  assert.match((await platform.hearth(['images', 'push', 'Greeter_1/image.tar'], { cwd })).stdout, /greeter-1:latest.*there already/);
  assert.deepEqual((await platform.json<Deployed>(['deploy', 'Greeter_1'], { cwd })).changed, []);
});
