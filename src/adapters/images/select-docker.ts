/** The image in an archive of `docker save`, in the format that Docker wrote before version 25, and others still do. */
import { normalize } from 'node:path/posix';
import { checkDigest, digestOf, isDigest } from './digest.ts';
import { CONFIG, DOCKER_MANIFEST, parseDocument } from './documents.ts';
import { chooseByName, pairLayers } from './selection.ts';
import type { Selected, Selection } from './selection.ts';

export function selectDocker({ files, name }: Selection): Selected {
  const manifest = parseDocument(DOCKER_MANIFEST, files.read('manifest.json'), 'manifest.json');
  const images = manifest.map((image) => ({ image, key: image.Config, names: image.RepoTags ?? [] }));
  const { Config, Layers, RepoTags } = chooseByName(images, name)[0]!;
  const bytes = files.read(normalize(Config));
  const digest = digestOf(bytes);
  // By convention the configuration is named by its digest; the layers have theirs in it.
  const named = `sha256:${/([0-9a-f]{64})(?:\.json)?$/.exec(Config)?.[1] ?? ''}`;
  if (isDigest(named)) checkDigest(bytes, named, Config);
  const config = parseDocument(CONFIG, bytes, Config);
  const layers = pairLayers(
    config,
    Layers.map((file) => ({ file: normalize(file) })),
  );
  return { digest, config, layers, names: RepoTags ?? [] };
}
