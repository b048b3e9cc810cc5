import { HearthError } from '../kernel/mod.ts';
import type { Functions } from './functions.ts';
import { invalid } from './invalid.ts';
import type { LayerEntry, LayerVersion, NextLayer } from './layers.ts';
import type { Architecture, LayerVersionRecord } from './records.ts';
import { addCode, holdingCode } from './stored-code.ts';
import type { HeldCode } from './stored-code.ts';

/** As the service model bounds the ARN of a layer version. */
const ARN_LENGTH = 140;

export type LayerView = { readonly entry: LayerEntry; readonly version: LayerVersion };
export type LayerTarget = { readonly name: string; readonly version: number };

export type PublishLayer = {
  readonly name: string;
  readonly zip: Uint8Array;
  readonly description?: string;
  readonly runtimes?: readonly string[];
  readonly architectures?: readonly Architecture[];
  readonly license?: string;
};

/** Makes the next version of a layer. Throws `InvalidParameterValueException`, `CodeStorageExceededException`, `StoreFailed`. */
export function publishLayer(functions: Functions, { name, zip, ...input }: PublishLayer): Promise<LayerView> {
  const publish = async (entry: LayerEntry, held: HeldCode): Promise<NextLayer<LayerView>> => {
    const version = entry.record.published + 1;
    if (`${entry.arn}:${version}`.length > ARN_LENGTH)
      throw invalid(`The layer name is too long: the ARN of a version may have ${ARN_LENGTH} characters. Choose a shorter one.`);
    const { record: code, storing } = await addCode(functions, held);
    const put: LayerVersionRecord = {
      schema: 1,
      version,
      ...input,
      description: input.description ?? '',
      code,
      createdMs: functions.clock.now(),
    };
    return {
      record: { ...entry.record, published: version },
      put,
      storing,
      result: (now) => ({ entry: now, version: now.versions.get(version)! }),
    };
  };
  return holdingCode(functions, zip, (held) => functions.layers.change(name, (entry) => publish(entry, held)));
}

/**
 * Deletes a layer version; functions that have it keep it. No error when there is none, as on Lambda. Its package goes when no function
 * needs it.
 */
export async function deleteLayerVersion(functions: Functions, { name, version }: LayerTarget): Promise<void> {
  checkNumber(version);
  const release = await functions.layers.change(name, ({ versions }) => {
    const found = versions.get(version);
    if (!found) return { result: () => undefined };
    return { remove: version, result: () => functions.holdCode(found.record.code.sha256) };
  });
  await release?.();
}

/** Throws `ResourceNotFoundException`, `InvalidParameterValueException`. */
export function getLayerVersion(functions: Functions, { name, version }: LayerTarget): LayerView {
  checkNumber(version);
  const entry = functions.layers.table.get(name);
  const found = entry?.versions.get(version);
  if (!entry || !found) throw new HearthError('ResourceNotFoundException', 'The resource you requested does not exist.');
  return { entry, version: found };
}

export type LayerFilter = { readonly runtime?: string; readonly architecture?: string };

/** The newest first. A version that does not say what it is compatible with matches no filter. */
export function layerVersionsMatching(entry: LayerEntry | undefined, { runtime, architecture }: LayerFilter): readonly LayerVersion[] {
  const all = [...(entry?.versions.values() ?? [])].toReversed();
  return all.filter(
    ({ record }) =>
      (runtime === undefined || record.runtimes?.includes(runtime)) &&
      (architecture === undefined || record.architectures?.some((each) => each === architecture)),
  );
}

export function checkNumber(version: number): void {
  if (version < 1) throw invalid('Layer Version Cannot be less than 1');
}
