/** Images and layers as other programs make them, and what they make of the same. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, linkSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { closeAfter } from '../../../test/closing.ts';
import { temporaryDirectory } from '../../../test/temporary.ts';
import { layoutOf, sha256, tarBytes, writeDirectory } from './image-bytes.testing.ts';
import { openImages } from './mod.ts';
import type { Image } from './mod.ts';
import { thisArchitecture } from './platform.ts';

const has = (program: string): boolean => {
  try {
    execFileSync('sh', ['-c', `command -v ${program}`], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};
/** chroot is a program of the administrator's, which not everybody's PATH has. */
const ENVIRONMENT = { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/sbin` };
const run = (program: string, args: readonly string[], cwd?: string): string =>
  execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], env: ENVIRONMENT, ...(cwd !== undefined && { cwd }) });

const GNU_TAR = has('tar') && run('tar', ['--version']).includes('GNU tar');

for (const format of ['ustar', 'pax', 'gnu', 'oldgnu']) {
  test(`a layer that GNU tar has written is unpacked as it was: ${format}`, { skip: !GNU_TAR && 'GNU tar is not here' }, async (t) => {
    const { root, unpack } = await setUp(t);
    const from = join(root, 'from');
    writeTree(from, format === 'ustar' ? 90 : 220);
    run('tar', [`--format=${format}`, '-cf', join(root, 'layer.tar'), '-C', from, '.']);
    const image = await unpack(writeDirectory(join(root, 'layout'), layoutOf({ layers: [readFileSync(join(root, 'layer.tar'))] })));
    assert.deepEqual(listing(image.root), listing(from));
    assert.equal(lstatSync(join(image.root, 'hard')).ino, lstatSync(join(image.root, 'bin/tool')).ino);
  });
}

test(
  'a sparse file of GNU tar is refused rather than unpacked as something else',
  { skip: !GNU_TAR && 'GNU tar is not here' },
  async (t) => {
    const { root, unpack } = await setUp(t);
    run('truncate', ['-s', '1M', join(root, 'sparse')]);
    for (const format of ['gnu', 'pax']) {
      run('tar', [`--format=${format}`, '--sparse', '-cf', join(root, 'layer.tar'), '-C', root, 'sparse']);
      const layers = [readFileSync(join(root, 'layer.tar'))];
      await assert.rejects(unpack(writeDirectory(join(root, format), layoutOf({ layers }))), { code: 'ImageInvalid', message: /sparse/ });
    }
  },
);

const BUILDERS = has('umoci') && has('skopeo');

test(
  'an image that umoci builds and skopeo copies is unpacked as umoci does it',
  { skip: !BUILDERS && 'umoci or skopeo is not here' },
  async (t) => {
    const { root, unpack } = await setUp(t);
    const layout = join(root, 'layout');
    const bundle = join(root, 'bundle');
    const umoci = (...args: readonly string[]) => run('umoci', args);
    umoci('init', '--layout', layout);
    umoci('new', '--image', `${layout}:it`);
    umoci('config', '--image', `${layout}:it`, '--os', 'linux', '--architecture', thisArchitecture());
    umoci('config', '--image', `${layout}:it`, '--config.entrypoint', '/bin/tool', '--config.env', 'A=b', '--config.workingdir', '/srv');
    umoci('config', '--image', `${layout}:it`, '--config.exposedports', '8080/tcp');
    umoci('unpack', '--rootless', '--image', `${layout}:it`, bundle);
    const rootfs = join(bundle, 'rootfs');
    const commit = () => umoci('repack', '--refresh-bundle', '--image', `${layout}:it`, bundle);
    writeTree(rootfs, 90);
    commit();
    run('sh', ['-c', 'rm -r deep hard && echo new > bin/tool && mkdir -p more && echo x > more/x && ln -sf /new absolute'], rootfs);
    commit();
    run('sh', ['-c', 'rm -r more && echo file > more && rm absolute'], rootfs);
    commit();
    umoci('unpack', '--rootless', '--image', `${layout}:it`, join(root, 'again'));

    const policy = join(root, 'policy.json');
    writeFileSync(policy, JSON.stringify({ default: [{ type: 'insecureAcceptAnything' }] }));
    const copy = (to: string, ...options: readonly string[]) =>
      run('skopeo', ['--policy', policy, 'copy', '--quiet', ...options, `oci:${layout}:it`, `${to}:it`]);
    copy(`oci:${join(root, 'zstd')}`, '--dest-compress-format', 'zstd', '--dest-compress');
    copy(`oci-archive:${join(root, 'oci.tar')}`);
    copy(`docker-archive:${join(root, 'docker.tar')}`);
    const images: Image[] = [];
    for (const source of ['layout', 'zstd', 'oci.tar', 'docker.tar']) images.push(await unpack(join(root, source)));
    for (const image of images) {
      assert.deepEqual(listing(image.root), listing(join(root, 'again/rootfs')));
      assert.equal(image.layers.length, 3);
      assert.deepEqual(image.config.entrypoint, ['/bin/tool']);
      assert.deepEqual(image.config.environment, { A: 'b' });
      assert.equal(image.config.workingDirectory, '/srv');
      assert.deepEqual(image.config.exposedPorts, [{ port: 8080, protocol: 'tcp' }]);
    }
  },
);

const NAMESPACES = process.platform === 'linux' && has('unshare') && has('ldd') && mayUnshare();

for (const who of ['this user', 'an ordinary user'] as const) {
  const ordinary =
    who === 'an ordinary user' && process.getuid?.() === 0 ? ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] : [];
  const skip =
    (!NAMESPACES && 'unshare may not make user namespaces here, or is not here') ||
    (who === 'an ordinary user' && (ordinary.length === 0 || !has('setpriv')) && 'this user is an ordinary one, or setpriv is not here');
  test(`a program of an image runs with the unpacked root as its own, for ${who}`, { skip }, async (t) => {
    const { root, unpack } = await setUp(t);
    const base = await tarBytes([
      ...programParts('/bin/sh'),
      ...programParts('/bin/cat'),
      { name: 'etc/motd', content: 'lower' },
      { name: 'etc/gone' },
    ]);
    const upper = await tarBytes([{ name: 'etc/motd', content: 'upper' }, { name: 'etc/.wh.gone' }]);
    const image = await unpack(writeDirectory(join(root, 'layout'), layoutOf({ layers: [base, upper], architecture: thisArchitecture() })));
    const mountPoint = join(root, 'mount');
    mkdirSync(mountPoint);
    for (const path of [root, mountPoint]) chmodSync(path, 0o755);
    // As where that user is the host's.
    if (ordinary.length > 0) run('chown', ['-Rh', '65534:65534', image.root]);
    const inside = 'cat /etc/motd; test -e /etc/gone || echo " without"; (echo x > /etc/motd) 2>&- || echo read-only';
    const inNamespace = (script: string) => {
      const [program, ...args] = [
        ...ordinary,
        'unshare',
        '--user',
        '--map-root-user',
        '--mount',
        'sh',
        '-ec',
        script,
        'sh',
        image.root,
        mountPoint,
        inside,
      ];
      return run(program, args);
    };
    const bound = inNamespace('mount --bind "$1" "$2"; mount -o remount,bind,ro "$2"; exec chroot "$2" /bin/sh -c "$3"');
    assert.equal(bound, 'upper without\nread-only\n');
    // A layer to write to over it leaves it as it is.
    const over =
      'mount -t tmpfs none "$2"; cd "$2"; mkdir up work all; mount -t overlay none -o "lowerdir=$1,upperdir=up,workdir=work" all';
    assert.equal(inNamespace(`${over}; chroot all /bin/sh -c "$3"; cat all/etc/motd`), 'upper without\nx\n');
    assert.equal(readFileSync(join(image.root, 'etc/motd'), 'utf8'), 'upper');
  });
}

async function setUp(t: TestContext) {
  const root = temporaryDirectory(t);
  const images = await openImages({ directory: join(root, 'images') });
  closeAfter(t, () => images.close());
  return { root, unpack: (source: string) => images.unpack(source) };
}

function writeTree(root: string, nameLength: number): void {
  mkdirSync(join(root, 'bin'), { recursive: true });
  writeFileSync(join(root, 'bin/tool'), '#!/bin/sh\n', { mode: 0o755 });
  writeFileSync(join(root, 'text'), Buffer.alloc(300_000, 'text'), { mode: 0o644 });
  writeFileSync(join(root, 'empty'), '', { mode: 0o444 });
  writeFileSync(join(root, 'grüße\\x2d'), 'x', { mode: 0o644 });
  const deep = join(root, 'deep', 'd'.repeat(nameLength), 'e'.repeat(nameLength));
  mkdirSync(deep, { recursive: true });
  writeFileSync(join(deep, 'file'), 'deep', { mode: 0o644 });
  symlinkSync('/bin/tool', join(root, 'absolute'));
  symlinkSync('bin/tool', join(root, 'relative'));
  linkSync(join(root, 'bin/tool'), join(root, 'hard'));
}

/** Kind, mode, time and content of everything below. */
function listing(root: string): readonly string[] {
  return readdirSync(root, { recursive: true })
    .map(String)
    .toSorted()
    .map((path) => {
      const status = lstatSync(join(root, path));
      if (status.isSymbolicLink()) return `${path} -> ${readlinkSync(join(root, path))}`;
      const facts = `${path} ${(status.mode & 0o777).toString(8)}`;
      return status.isDirectory()
        ? `${facts} directory`
        : `${facts} ${Math.trunc(status.mtimeMs / 1000)} ${sha256(readFileSync(join(root, path)))}`;
    });
}

/** A program of this machine and the libraries that it needs, where it looks for them. */
function programParts(program: string) {
  const libraries = [...run('ldd', [program]).matchAll(/(\/\S+)\s\(0x/g)].map(([, path]) => path!);
  return [program, ...libraries].map((path) => ({ name: path, content: readFileSync(path), mode: 0o755 }));
}

function mayUnshare(): boolean {
  try {
    run('unshare', ['--user', '--map-root-user', '--mount', 'true']);
    return true;
  } catch {
    return false;
  }
}
