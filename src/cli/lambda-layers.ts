/** The calls about layers that the command line makes, with the fields of their answers that it uses. */
import { HearthError } from '../kernel/mod.ts';
import type { Client } from './client.ts';

export type LayerVersionItem = {
  readonly LayerVersionArn: string;
  readonly Version: number;
  readonly Description?: string;
  readonly CreatedDate: string;
  readonly CompatibleRuntimes?: readonly string[];
  readonly CompatibleArchitectures?: readonly string[];
  readonly LicenseInfo?: string;
};

export type LayerVersion = LayerVersionItem & { readonly Content: { readonly CodeSha256: string; readonly CodeSize: number } };
export type Layer = { readonly LayerName: string; readonly LayerArn: string; readonly LatestMatchingVersion: LayerVersionItem };

const LAYERS = '/2018-10-31/layers';

/** Of its versions, or of one. */
export const layerPath = (name: string, version?: number | string): string =>
  `${LAYERS}/${encodeURIComponent(name)}/versions${version === undefined ? '' : `/${version}`}`;

export const listLayers = (client: Client): Promise<readonly Layer[]> => allPages<Layer>(client, LAYERS, 'Layers');

/** The newest first. */
export const listLayerVersions = (client: Client, name: string): Promise<readonly LayerVersionItem[]> =>
  allPages<LayerVersionItem>(client, layerPath(name), 'LayerVersions');

export async function latestLayerVersion(client: Client, name: string): Promise<LayerVersionItem | undefined> {
  const query = { MaxItems: 1 };
  const { LayerVersions } = await client.call<{ LayerVersions: LayerVersionItem[] }>({ method: 'GET', path: layerPath(name), query });
  return LayerVersions[0];
}

export const getLayerVersion = (client: Client, name: string, version: number | string): Promise<LayerVersion> =>
  client.call<LayerVersion>({ method: 'GET', path: layerPath(name, version) });

/**
 * The ARN of what a project names: `NAME` for the latest version, `NAME:VERSION`, or an ARN, which is taken as it is. `attached`: what the
 * function has, be it deleted meanwhile.
 */
export async function findLayerArn(client: Client, text: string, attached: readonly string[]): Promise<string> {
  if (text.startsWith('arn:')) return text;
  const kept = attached.find((arn) => arn.endsWith(`:layer:${text}`));
  if (kept !== undefined) return kept;
  const [name, version] = text.split(':') as [string, string?];
  if (version !== undefined) return (await getLayerVersion(client, name, version)).LayerVersionArn;
  const latest = await latestLayerVersion(client, name);
  if (latest) return latest.LayerVersionArn;
  throw new HearthError('ResourceNotFoundException', `There is no layer ${name}: "hearth layers publish ${name} DIRECTORY" makes one.`);
}

type Page<T> = { readonly [Member in 'Layers' | 'LayerVersions']?: readonly T[] } & { readonly NextMarker?: string | null };

async function allPages<T>(client: Client, path: string, member: 'Layers' | 'LayerVersions'): Promise<readonly T[]> {
  const all: T[] = [];
  let marker: string | undefined;
  do {
    const page = await client.call<Page<T>>({ method: 'GET', path, query: { Marker: marker, MaxItems: 50 } });
    all.push(...(page[member] ?? []));
    marker = page.NextMarker ?? undefined;
  } while (marker);
  return all;
}
