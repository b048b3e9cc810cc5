/** What of a version's stored packages is there to be run: its own code and its layers. */
import { asHearthError } from '../kernel/mod.ts';
import type { CodeStore } from './code-store.ts';
import type { ImageKeeper } from './image-keeper.ts';
import type { StoredImage } from './image-store.ts';
import type { FunctionCode, FunctionSettings } from './records.ts';
import type { CodeState } from './table.ts';

/** Of a version record, as far as this is concerned. */
export type Runnable = { readonly code: FunctionCode; readonly settings: Pick<FunctionSettings, 'layers'> };

/** A package that is unpacked, or why not. */
export type Unpacked = { readonly directory: string; readonly image?: StoredImage } | { readonly reason: string };

/** The SHA-256 of every package that a version needs. */
export const packagesOf = ({ code, settings }: Runnable): string[] => [
  ...(code.image ? [] : [code.sha256]),
  ...(settings.layers ?? []).map((layer) => layer.sha256),
];

/** Never rejects: what cannot be unpacked is told in the state. */
export async function runState(code: CodeStore, version: Runnable): Promise<CodeState> {
  const unpacked = new Map<string, Unpacked>();
  for (const sha256 of packagesOf(version)) unpacked.set(sha256, await tryUnpack(code, sha256));
  return stateFrom(unpacked, version);
}

/** The state of a version whose packages, or whose image by its SHA-256, are all in `unpacked`. */
export function stateFrom(unpacked: ReadonlyMap<string, Unpacked>, { code, settings }: Runnable): CodeState {
  const own = unpacked.get(code.sha256)!;
  if ('reason' in own) return { kind: 'failed', reason: own.reason };
  const layers: string[] = [];
  for (const { arn, sha256 } of settings.layers ?? []) {
    const layer = unpacked.get(sha256)!;
    if ('reason' in layer) return { kind: 'failed', reason: `The layer ${arn}: ${layer.reason}` };
    layers.push(layer.directory);
  }
  return { kind: 'ready', directory: own.directory, layers, ...(own.image && { image: own.image }) };
}

/** As `tryUnpack`, for an image. */
export async function tryImage(images: ImageKeeper, digest: string): Promise<Unpacked> {
  try {
    const image = await images.get(digest);
    return { directory: image.directory, image };
  } catch (error) {
    return { reason: asHearthError(error).message };
  }
}

export async function tryUnpack(code: CodeStore, sha256: string): Promise<Unpacked> {
  try {
    return await code.unpack(sha256);
  } catch (error) {
    return { reason: asHearthError(error).message };
  }
}
