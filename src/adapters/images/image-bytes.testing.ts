/** Container images byte by byte, for tests: also such as no builder would write. */
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { pack } from 'tar-stream';

/** `type`: that of tar-stream; a file, unless given. */
export type Part = {
  readonly name: string;
  readonly content?: string | Buffer;
  readonly mode?: number;
  readonly type?: 'file' | 'directory' | 'symlink' | 'link' | 'character-device' | 'block-device' | 'fifo';
  readonly linkname?: string;
  readonly mtime?: Date;
  readonly pax?: Readonly<Record<string, string>>;
};

export type Compression = 'none' | 'gzip' | 'zstd';

export const directory = (name: string, mode = 0o755): Part => ({ name, mode, type: 'directory' });
export const symlink = (name: string, linkname: string): Part => ({ name, linkname, type: 'symlink' });
export const hardlink = (name: string, linkname: string): Part => ({ name, linkname, type: 'link' });

export async function tarBytes(parts: readonly Part[]): Promise<Buffer> {
  const archive = pack();
  for (const { content = '', mtime = new Date(1_500_000_000_000), mode = 0o644, type = 'file', ...rest } of parts) {
    const sized = type === 'file' ? { size: Buffer.byteLength(content) } : {};
    archive.entry({ ...rest, ...sized, type, mode, mtime }, type === 'file' ? Buffer.from(content as string) : '');
  }
  archive.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of archive as AsyncIterable<unknown>) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

export const sha256 = (bytes: Buffer | string): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

const COMPRESS = {
  none: (bytes: Buffer) => bytes,
  gzip: (bytes: Buffer) => gzipSync(bytes),
  zstd: (bytes: Buffer) => zstdCompressSync(bytes),
};
const SUFFIX = { none: '', gzip: '+gzip', zstd: '+zstd' };

export type ImageSpec = {
  /** Tar archives, from the lowest to the uppermost. */
  readonly layers: readonly Buffer[];
  readonly compression?: Compression;
  readonly architecture?: string;
  readonly os?: string;
  /** `config` of the configuration. */
  readonly config?: object;
  readonly layerType?: string;
  readonly configType?: string;
};

/** Files by their names, as in an OCI layout; and the descriptor of the manifest among them. */
export type Built = { readonly files: Readonly<Record<string, Buffer>>; readonly descriptor: Descriptor };
export type Descriptor = { readonly mediaType: string; readonly digest: string; readonly size: number };

export function buildImage(spec: ImageSpec): Built {
  const { layers, compression = 'none' } = spec;
  const files: Record<string, Buffer> = {};
  const add = (bytes: Buffer, mediaType: string): Descriptor => addBlob(files, bytes, mediaType);
  const config = add(configBytes(spec), spec.configType ?? 'application/vnd.oci.image.config.v1+json');
  const layerType = spec.layerType ?? `application/vnd.oci.image.layer.v1.tar${SUFFIX[compression]}`;
  const manifest = { schemaVersion: 2, config, layers: layers.map((layer) => add(COMPRESS[compression](layer), layerType)) };
  return { descriptor: add(json(manifest), 'application/vnd.oci.image.manifest.v1+json'), files };
}

export function configBytes({ layers, architecture = 'amd64', os = 'linux', config = {} }: ImageSpec): Buffer {
  return json({ architecture, os, config, rootfs: { type: 'layers', diff_ids: layers.map(sha256) } });
}

/** An index of images, as a blob. */
export function buildIndex(manifests: readonly object[], files: Readonly<Record<string, Buffer>>): Built {
  const all = { ...files };
  const descriptor = addBlob(all, json({ schemaVersion: 2, manifests }), 'application/vnd.oci.image.index.v1+json');
  return { files: all, descriptor };
}

export function layoutFiles({ files }: Pick<Built, 'files'>, manifests: readonly object[]): Readonly<Record<string, Buffer>> {
  return { ...files, 'oci-layout': json({ imageLayoutVersion: '1.0.0' }), 'index.json': json({ schemaVersion: 2, manifests }) };
}

/** The layout of one image. */
export function layoutOf(spec: ImageSpec): Readonly<Record<string, Buffer>> {
  const built = buildImage(spec);
  return layoutFiles(built, [built.descriptor]);
}

/** As `docker save` wrote it before version 25. */
export function dockerFiles(spec: ImageSpec, tags: readonly string[] = ['test:1']): Readonly<Record<string, Buffer>> {
  const config = configBytes(spec);
  const name = `${sha256(config).slice(7)}.json`;
  const layers = spec.layers.map((layer, i) => [`${i}/layer.tar`, COMPRESS[spec.compression ?? 'none'](layer)] as const);
  const manifest = [{ Config: name, RepoTags: tags, Layers: layers.map(([file]) => file) }];
  return { [name]: config, ...Object.fromEntries(layers), 'manifest.json': json(manifest) };
}

export function writeDirectory(path: string, files: Readonly<Record<string, Buffer>>): string {
  for (const [name, bytes] of Object.entries(files)) {
    mkdirSync(dirname(join(path, name)), { recursive: true });
    writeFileSync(join(path, name), bytes);
  }
  return path;
}

export const archiveBytes = (files: Readonly<Record<string, Buffer>>): Promise<Buffer> =>
  tarBytes(Object.entries(files).map(([name, content]) => ({ name, content })));

export const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

function addBlob(files: Record<string, Buffer>, bytes: Buffer, mediaType: string): Descriptor {
  const digest = sha256(bytes);
  files[`blobs/sha256/${digest.slice(7)}`] = bytes;
  return { mediaType, digest, size: bytes.length };
}
