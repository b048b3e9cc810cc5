import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { join } from 'node:path';
import { writeFileSync } from 'node:fs';
import { temporaryDirectory } from '../../../test/temporary.ts';
import { LIMITS } from '../../kernel/mod.ts';
import {
  archiveBytes,
  buildImage,
  buildIndex,
  dockerFiles,
  json,
  layoutFiles,
  sha256,
  symlink,
  tarBytes,
  writeDirectory,
} from './image-bytes.testing.ts';
import type { Built, Part } from './image-bytes.testing.ts';
import { thisArchitecture } from './platform.ts';
import { selectImage } from './select.ts';
import { openSource } from './source.ts';

const AMD64 = { os: 'linux', architecture: 'amd64' };
const ARM64 = { os: 'linux', architecture: 'arm64' };

test('an index that lists several platforms gives the one of the machine, also where it is nested', async (t) => {
  const [amd64, arm64, windows] = [await image('amd64'), await image('arm64'), await image('amd64', 'windows')];
  const files = { ...amd64.files, ...arm64.files, ...windows.files };
  const index = buildIndex(
    [
      { ...windows.descriptor, platform: { os: 'windows', architecture: 'amd64' } },
      { ...arm64.descriptor, platform: { ...ARM64, variant: 'v8' } },
      { ...amd64.descriptor, platform: { ...AMD64, variant: 'v3' } },
      { ...amd64.descriptor, platform: AMD64 },
    ],
    files,
  );
  const nested = buildIndex([index.descriptor], index.files);
  for (const top of [layoutFiles(index, [index.descriptor]), layoutFiles(nested, [nested.descriptor])]) {
    assert.equal((await select(t, top, { architecture: 'amd64' })).digest, configDigest(amd64));
    assert.equal((await select(t, top, { architecture: 'arm64' })).digest, configDigest(arm64));
  }
  const flat = layoutFiles({ files }, [
    { ...arm64.descriptor, platform: ARM64 },
    { ...amd64.descriptor, platform: AMD64 },
  ]);
  assert.equal((await select(t, flat, { architecture: 'amd64' })).digest, configDigest(amd64));
});

test('where an index says no platform, the configurations do', async (t) => {
  const [amd64, arm64] = [await image('amd64'), await image('arm64')];
  const files = layoutFiles({ files: { ...amd64.files, ...arm64.files } }, [arm64.descriptor, amd64.descriptor]);
  assert.equal((await select(t, files, { architecture: 'amd64' })).digest, configDigest(amd64));
  assert.equal((await select(t, files, { architecture: 'arm64' })).digest, configDigest(arm64));
});

test('an image for another platform is refused, and the message says which there are', async (t) => {
  const arm64 = await image('arm64');
  const refused = (message: RegExp) => ({ code: 'ImagePlatformMismatch', message });
  await assert.rejects(select(t, layoutFiles(arm64, [arm64.descriptor])), refused(/linux\/arm64.*this machine is linux\/amd64/));
  const listed = [{ ...arm64.descriptor, platform: { ...ARM64, variant: 'v8' } }];
  await assert.rejects(select(t, layoutFiles(arm64, listed)), refused(/"linux\/arm64\/v8"/));
  const index = buildIndex([{ ...arm64.descriptor, platform: { os: 'linux', architecture: 's390x' } }], arm64.files);
  await assert.rejects(select(t, layoutFiles(index, [index.descriptor])), refused(/s390x/));
  const docker = dockerFiles({ layers: [await tarBytes([])], architecture: 'arm64' });
  await assert.rejects(select(t, await archiveBytes(docker)), refused(/it is for linux\/arm64/));
  const windows = await image('amd64', 'windows');
  await assert.rejects(select(t, layoutFiles(windows, [windows.descriptor])), refused(/windows\/amd64/));
});

test('attestations beside an image are not taken for one, and blobs of other platforms may be missing', async (t) => {
  const [amd64, arm64] = [await image('amd64'), await image('arm64')];
  const attestation = {
    ...amd64.descriptor,
    platform: { os: 'unknown', architecture: 'unknown' },
    annotations: { 'vnd.docker.reference.type': 'attestation-manifest' },
  };
  const index = buildIndex([attestation, { ...arm64.descriptor, platform: ARM64 }, { ...amd64.descriptor, platform: AMD64 }], amd64.files);
  const selected = await select(t, layoutFiles(index, [index.descriptor]));
  assert.equal(selected.digest, configDigest(amd64));
});

test('of several images one has to be named', async (t) => {
  const [one, two] = [await image('amd64', 'linux', '1'), await image('amd64', 'linux', '2')];
  const named = (built: Built, name: string) => ({ ...built.descriptor, annotations: { 'org.opencontainers.image.ref.name': name } });
  const files = { ...one.files, ...two.files };
  const layout = layoutFiles({ files }, [named(one, 'one'), named(two, 'two'), named(two, 'latest')]);
  assert.equal((await select(t, layout, { name: 'one' })).digest, configDigest(one));
  assert.equal((await select(t, layout, { name: 'latest' })).digest, configDigest(two));
  await assert.rejects(select(t, layout), { code: 'ImageNotFound', message: /several images.*"one", "two", "latest"/ });
  await assert.rejects(select(t, layout, { name: 'three' }), { code: 'ImageNotFound', message: /"three".*"one"/ });
  const same = layoutFiles({ files }, [named(two, 'two'), named(two, 'latest')]);
  assert.equal((await select(t, same)).digest, configDigest(two));

  const [first, second] = [
    dockerFiles({ layers: [await tarBytes([])] }, ['a:1', 'a:2']),
    dockerFiles({ layers: [await tarBytes([])], config: { Cmd: ['x'] } }, ['b:1']),
  ];
  const entries = [first, second].flatMap((each) => JSON.parse(each['manifest.json']!.toString()) as object[]);
  const archive = await archiveBytes({ ...first, ...second, 'manifest.json': json(entries) });
  assert.deepEqual((await select(t, archive, { name: 'b:1' })).config.config?.Cmd, ['x']);
  assert.equal((await select(t, archive, { name: 'a:2' })).config.config?.Cmd, undefined);
  await assert.rejects(select(t, archive), { code: 'ImageNotFound', message: /"a:1", "a:2", "b:1"/ });
});

test("an archive with both of Docker's formats is read as OCI's, and one with links to layers is followed", async (t) => {
  const layers = [await tarBytes([])];
  const oci = buildImage({ layers });
  const both = { ...dockerFiles({ layers, config: { Cmd: ['old'] } }), ...layoutFiles(oci, [oci.descriptor]) };
  assert.equal((await select(t, await archiveBytes(both))).digest, configDigest(oci));

  const { '0/layer.tar': layer, ...others } = dockerFiles({ layers });
  const files = Object.entries({ ...others, 'other/layer.tar': layer! });
  const parts: readonly Part[] = [...files.map(([name, content]) => ({ name, content })), symlink('0/layer.tar', '../other/layer.tar')];
  const selected = await select(t, await tarBytes(parts));
  assert.equal(selected.layers[0]?.diffId, sha256(layers[0]!));
});

test('this machine is of one of the platforms', () => {
  assert.ok(['amd64', 'arm64'].includes(thisArchitecture()));
});

const image = async (architecture: string, os = 'linux', content = ''): Promise<Built> =>
  buildImage({ architecture, os, layers: [await tarBytes([{ name: 'a', content }])] });

/** Of the only configuration among the files. */
function configDigest({ files }: Built): string {
  const config = Object.values(files).find((bytes) => bytes[0] === 0x7b && bytes.includes('rootfs'));
  return sha256(config!);
}

type Wanted = { readonly name?: string; readonly architecture?: 'amd64' | 'arm64' };

async function select(t: TestContext, source: Buffer | Readonly<Record<string, Buffer>>, { name, architecture = 'amd64' }: Wanted = {}) {
  const workDirectory = temporaryDirectory(t);
  const path = join(workDirectory, 'source');
  if (Buffer.isBuffer(source)) writeFileSync(path, source);
  else writeDirectory(path, source);
  const files = await openSource({ path, workDirectory, limits: LIMITS.images });
  try {
    return selectImage({ files, name, architecture, limits: LIMITS.images });
  } finally {
    files.close();
  }
}
