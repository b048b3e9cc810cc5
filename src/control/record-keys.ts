/** Where the store has functions, layers and the versions of both. */
import type { Store, StoredRecord } from '../ports/mod.ts';

export const FUNCTIONS = 'functions/';
export const VERSIONS = 'versions/';
export const LAYERS = 'layers/';
export const LAYER_VERSIONS = 'layer-versions/';
const PAGE = 1_000;

export const functionKey = (name: string): string => `${FUNCTIONS}${name}`;
/** Padded, so that the order of keys is the order of versions. */
export const versionKey = (name: string, version: string): string => `${VERSIONS}${name}/${version.padStart(10, '0')}`;
export const layerKey = (name: string): string => `${LAYERS}${name}`;
export const layerVersionsOf = (name: string): string => `${LAYER_VERSIONS}${name}/`;
export const layerVersionKey = (name: string, version: number): string => `${layerVersionsOf(name)}${String(version).padStart(10, '0')}`;
export const layerOfVersion = (key: string): string => key.slice(LAYER_VERSIONS.length, key.lastIndexOf('/'));
export const functionOfVersion = (key: string): string => key.slice(VERSIONS.length, key.lastIndexOf('/'));

export async function listAll<T>(store: Store, prefix: string): Promise<StoredRecord<T>[]> {
  const all: StoredRecord<T>[] = [];
  for (;;) {
    const after = all.at(-1)?.key;
    const page = await store.list<T>(prefix, after === undefined ? { limit: PAGE } : { after, limit: PAGE });
    all.push(...page);
    if (page.length === 0) return all;
  }
}
