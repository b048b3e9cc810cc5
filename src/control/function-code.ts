/** What a function's code comes from: an uploaded package, or a container image that was brought. */
import { createHash } from 'node:crypto';
import { LIMITS } from '../kernel/mod.ts';
import { checkUnpackedSize } from './attached-layers.ts';
import type { Functions } from './functions.ts';
import type { StoredImage } from './image-store.ts';
import { invalid } from './invalid.ts';
import type { Architecture, FunctionCode, FunctionSettings } from './records.ts';
import { runState } from './run-state.ts';
import { addCode, holdingCode } from './stored-code.ts';
import type { HeldCode } from './stored-code.ts';
import type { CodeState } from './table.ts';

export type CodeSource = { readonly zip: Uint8Array } | { readonly imageUri: string };

export type HeldSource =
  | { readonly kind: 'zip'; readonly code: HeldCode }
  | { readonly kind: 'image'; readonly code: FunctionCode; readonly image: StoredImage };

export type AddedSource = { readonly record: FunctionCode; readonly state: CodeState; readonly storing: Promise<unknown> };

/** Nobody may remove it before a version refers to it. Throws `InvalidParameterValueException` for an image that is not there. */
export async function holdingSource<R>(functions: Functions, source: CodeSource, run: (held: HeldSource) => Promise<R>): Promise<R> {
  if ('zip' in source) return holdingCode(functions, source.zip, (code) => run({ kind: 'zip', code }));
  const { image, release } = await functions.images.find(source.imageUri);
  try {
    return await run({ kind: 'image', image, code: imageCode(image, source.imageUri) });
  } finally {
    release();
  }
}

/** The record that a source would have, for who only wants to know. */
export async function previewSource(functions: Functions, source: CodeSource): Promise<FunctionCode> {
  if ('zip' in source) return { sha256: createHash('sha256').update(source.zip).digest('hex'), bytes: source.zip.length };
  const { image, release } = await functions.images.find(source.imageUri);
  release();
  return imageCode(image, source.imageUri);
}

/** The code of a function that has these settings. */
export async function addSource(
  functions: Functions,
  held: HeldSource,
  settings: Pick<FunctionSettings, 'layers' | 'image'>,
): Promise<AddedSource> {
  if (held.kind === 'image') {
    const { image, code } = held;
    return { record: code, state: { kind: 'ready', directory: image.directory, layers: [], image }, storing: Promise.resolve() };
  }
  const added = await addCode(functions, held.code);
  const { layers = [] } = settings;
  if (layers.length === 0) return { ...added, state: { kind: 'ready', directory: added.directory, layers: [] } };
  await checkUnpackedSize(functions, held.code, layers);
  return { ...added, state: await runState(functions.code, { code: added.record, settings }) };
}

/** Throws `InvalidParameterValueException` where an image is not for the architecture that was asked for, or is started by too long a text. */
export function architectureOf(held: HeldSource, asked: Architecture | undefined): Architecture | undefined {
  if (held.kind === 'zip') return asked;
  const { architecture, entryPoint, command, environment } = held.image;
  if (asked !== undefined && asked !== architecture)
    throw invalid(`The image is for ${architecture}, and Architectures says ${asked}. Leave Architectures out, or bring another image.`);
  const bytes = Buffer.byteLength(JSON.stringify([entryPoint, command, environment]));
  if (bytes > LIMITS.imageStartBytes)
    throw invalid(`Entrypoint, Cmd and Env of the image take ${bytes} bytes; ${LIMITS.imageStartBytes} are allowed.`);
  return architecture;
}

const imageCode = ({ digest }: StoredImage, uri: string): FunctionCode => ({
  sha256: digest.slice(digest.indexOf(':') + 1),
  bytes: 0,
  image: { digest, uri },
});
