/** Layers: made of a directory or a zip, listed and deleted. */
import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import { HearthError } from '../kernel/mod.ts';
import { packDirectory } from './build/mod.ts';
import type { Client } from './client.ts';
import type { Context } from './context.ts';
import { getLayerVersion, latestLayerVersion, layerPath, listLayerVersions, listLayers } from './lambda-layers.ts';
import type { LayerVersion, LayerVersionItem } from './lambda-layers.ts';
import { bytesText, tableText } from './text.ts';

export type PublishOptions = {
  readonly description?: string;
  readonly license?: string;
  readonly runtime?: readonly string[];
  readonly architecture?: readonly string[];
};

/** A new version, unless the latest one is the same already. */
export async function publishLayer({ out, client }: Context, name: string, source: string, options: PublishOptions): Promise<void> {
  const zip = await out.progress(`packing ${source}`, zipOf(source));
  const about = aboutOf(options);
  const { version, changed } = await out.progress(`publishing ${name}`, putVersion(client, name, zip, about));
  const value = {
    name,
    version: version.Version,
    arn: version.LayerVersionArn,
    codeSha256: version.Content.CodeSha256,
    codeBytes: zip.length,
    changed,
  };
  out.result(value, () => {
    const what = changed ? `published as version ${version.Version}` : `is unchanged, version ${version.Version}`;
    return `${out.paint.bold(name)} ${what}  ${out.paint.dim(bytesText(zip.length))}\n${out.paint.green(version.LayerVersionArn)}`;
  });
}

export async function listLayersOrVersions({ out, client }: Context, name: string): Promise<void> {
  if (name !== '') {
    const versions = await listLayerVersions(client, name);
    return out.result(versions, () => {
      if (versions.length === 0) return `There is no version of the layer ${name}.`;
      return tableText(
        ['VERSION', ...ABOUT],
        versions.map((each) => [String(each.Version), ...aboutCells(each)]),
        out.paint.bold,
      );
    });
  }
  const layers = await listLayers(client);
  out.result(layers, () => {
    if (layers.length === 0) return 'No layers yet: "hearth layers publish NAME DIRECTORY" makes one.';
    const rows = layers.map(({ LayerName, LatestMatchingVersion: latest }) => [LayerName, String(latest.Version), ...aboutCells(latest)]);
    return tableText(['NAME', 'LATEST', ...ABOUT], rows, out.paint.bold);
  });
}

export async function deleteLayerVersion({ out, client }: Context, name: string, version: string): Promise<void> {
  if (!/^[1-9]\d{0,9}$/.test(version)) throw new HearthError('BadUsage', `${JSON.stringify(version)} is not the number of a version`);
  // Deleting what is not there is no error to the API.
  await getLayerVersion(client, name, version);
  await client.send({ method: 'DELETE', path: layerPath(name, version) });
  out.result({ deleted: `${name}:${version}` }, () => `version ${version} of ${name} deleted; functions that have it keep it`);
}

async function zipOf(source: string): Promise<Buffer> {
  const info = await stat(source).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') throw error;
    throw new HearthError('BadUsage', `there is no ${source}: give a directory, or a zip`);
  });
  return info.isDirectory() ? packDirectory(source) : readFile(source);
}

const aboutOf = ({ description = '', license, runtime, architecture }: PublishOptions) => ({
  Description: description,
  ...(license !== undefined && { LicenseInfo: license }),
  ...(runtime && { CompatibleRuntimes: runtime }),
  ...(architecture && { CompatibleArchitectures: architecture }),
});

async function putVersion(
  client: Client,
  name: string,
  zip: Buffer,
  about: ReturnType<typeof aboutOf>,
): Promise<{ version: LayerVersion; changed: boolean }> {
  const latest = await latestLayerVersion(client, name);
  if (latest) {
    const { Description, LicenseInfo, CompatibleRuntimes, CompatibleArchitectures } = latest;
    const same = isDeepStrictEqual(
      JSON.parse(JSON.stringify({ Description, LicenseInfo, CompatibleRuntimes, CompatibleArchitectures })),
      about,
    );
    const version = same ? await getLayerVersion(client, name, latest.Version) : undefined;
    if (version?.Content.CodeSha256 === createHash('sha256').update(zip).digest('base64')) return { version, changed: false };
  }
  const body = { ...about, Content: { ZipFile: zip.toString('base64') } };
  return { version: await client.call<LayerVersion>({ method: 'POST', path: layerPath(name), body }), changed: true };
}

const ABOUT = ['CREATED', 'RUNTIMES', 'ARCHITECTURES', 'DESCRIPTION'];

const aboutCells = (version: LayerVersionItem): string[] => [
  version.CreatedDate.slice(0, 19),
  version.CompatibleRuntimes?.join(', ') ?? '',
  version.CompatibleArchitectures?.join(', ') ?? '',
  version.Description ?? '',
];
