/** The layers that a function asks for. */
import { HearthError, LIMITS } from '../kernel/mod.ts';
import type { Functions } from './functions.ts';
import { invalid } from './invalid.ts';
import { parseLayerVersionArn } from './layer-arn.ts';
import type { AttachedLayer } from './records.ts';

/** Holds the packages of the layers that `run` attaches, so that none is removed before a version refers to it. */
export async function holdingLayers<R>(functions: Functions, run: (attach: Attach) => Promise<R>): Promise<R> {
  const releases: (() => Promise<void>)[] = [];
  try {
    return await run((arns) => {
      const layers = attachLayers(functions, arns);
      for (const { sha256 } of layers) releases.push(functions.holdCode(sha256));
      return layers;
    });
  } finally {
    await Promise.all(releases.map((release) => release()));
  }
}

/** Throws `InvalidParameterValueException`, `AccessDeniedException`. */
export type Attach = (arns: readonly string[]) => readonly AttachedLayer[];

function attachLayers({ layers, realm }: Functions, arns: readonly string[]): readonly AttachedLayer[] {
  if (arns.length > LIMITS.layersPerFunction) throw invalid(`Cannot reference more than ${LIMITS.layersPerFunction} layers.`);
  const seen = new Map<string, string>();
  return arns.map((given) => {
    const { name, version } = parseLayerVersionArn(given, realm);
    const found = layers.table.get(name)?.versions.get(version);
    if (!found) throw invalid(`Layer version ${given} does not exist.`);
    const other = seen.get(name);
    if (other !== undefined)
      throw invalid(
        `Two different versions of the same layer are not allowed to be referenced in the same function. ${other} and ${found.arn} are versions of the same layer.`,
      );
    seen.set(name, found.arn);
    return { arn: found.arn, ...found.record.code };
  });
}

/** Throws `InvalidParameterValueException` when a function is too large together with its layers, and for a layer that is damaged. */
export async function checkUnpackedSize(
  { code }: Functions,
  { sha256, zip }: { readonly sha256: string; readonly zip?: Uint8Array },
  layers: readonly AttachedLayer[],
): Promise<void> {
  let layerBytes = 0;
  for (const layer of layers) layerBytes += await measured(code.measure(layer.sha256), layer);
  if (layerBytes > LIMITS.unzippedBytes) throw invalid(`Layers consume more than the available size of ${LIMITS.unzippedBytes} bytes`);
  const bytes = layerBytes + (await code.measure(sha256, zip));
  if (bytes > LIMITS.unzippedBytes)
    throw invalid(
      `Function code combined with layers exceeds the maximum allowed size of ${LIMITS.unzippedBytes} bytes. The actual size is ${bytes} bytes.`,
    );
}

async function measured(measuring: Promise<number>, { arn }: AttachedLayer): Promise<number> {
  try {
    return await measuring;
  } catch (error) {
    if (!(error instanceof HearthError)) throw error;
    throw new HearthError(error.code, `The layer ${arn} cannot be used: ${error.message}`, { cause: error });
  }
}
