/** The JSON documents of an image, as the OCI image specification and Docker's archives have them; fields without use here are left out. */
import { z } from 'zod';
import { parseDigest } from './digest.ts';
import { invalid, quote } from './errors.ts';

const text = z.string().max(4096);
const digest = text.transform(parseDigest);
const platform = z.object({ os: text, architecture: text, variant: text.optional() });

const descriptor = z.object({
  mediaType: text,
  digest,
  size: z.int().min(0),
  platform: platform.optional(),
  annotations: z.record(text, z.string()).optional(),
});
export type Descriptor = z.infer<typeof descriptor>;

export const OCI_LAYOUT = z.object({ imageLayoutVersion: text });
export const INDEX = z.object({ schemaVersion: z.literal(2), manifests: z.array(descriptor) });
export const MANIFEST = z.object({ schemaVersion: z.literal(2), config: descriptor, layers: z.array(descriptor) });
export type Manifest = z.infer<typeof MANIFEST>;

/** Docker writes null for what is not set. */
const strings = z.array(z.string()).nullish();
export const CONFIG = z.object({
  os: text,
  architecture: text,
  variant: text.optional(),
  config: z
    .object({
      Entrypoint: strings,
      Cmd: strings,
      Env: strings,
      WorkingDir: z.string().nullish(),
      ExposedPorts: z.record(z.string(), z.unknown()).nullish(),
    })
    .nullish(),
  rootfs: z.object({ type: z.literal('layers'), diff_ids: z.array(digest) }),
});
export type ConfigDocument = z.infer<typeof CONFIG>;

export const DOCKER_MANIFEST = z.array(z.object({ Config: text, RepoTags: strings, Layers: z.array(text) }));
export type DockerManifest = z.infer<typeof DOCKER_MANIFEST>;

/** Throws HearthError `ImageInvalid`, with the first thing that is not as it should be. */
export function parseDocument<T>(schema: z.ZodType<T>, bytes: Buffer, name: string): T {
  const parsed = schema.safeParse(parseJson(bytes, name));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw invalid(`in ${quote(name)}, ${issue?.path.join('.') || 'the document'}: ${issue?.message ?? 'not as the format says'}`);
}

function parseJson(bytes: Buffer, name: string): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw invalid(`${quote(name)} is not JSON`, cause);
  }
}
