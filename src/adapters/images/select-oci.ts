/** The image in an OCI image layout. Indexes may lie in indexes; of those that fit this machine the first is taken, as the specification asks. */
import { algorithmOf, checkDigest } from './digest.ts';
import type { Digest } from './digest.ts';
import { CONFIG, INDEX, MANIFEST, parseDocument } from './documents.ts';
import type { ConfigDocument, Descriptor } from './documents.ts';
import { damaged, quote, tooLarge, unsupported, wrongPlatform } from './errors.ts';
import { platformText, runsOn } from './platform.ts';
import { chooseByName, pairLayers } from './selection.ts';
import type { Selected, Selection } from './selection.ts';

const INDEXES = ['application/vnd.oci.image.index.v1+json', 'application/vnd.docker.distribution.manifest.list.v2+json'];
const MANIFESTS = ['application/vnd.oci.image.manifest.v1+json', 'application/vnd.docker.distribution.manifest.v2+json'];
const CONFIGS = ['application/vnd.oci.image.config.v1+json', 'application/vnd.docker.container.image.v1+json'];
const LAYER =
  /^application\/vnd\.(?:oci\.image\.layer\.(?:nondistributable\.)?v1|docker\.image\.rootfs\.(?:foreign\.)?diff)\.tar(?:[.+](?:gzip|zstd))?$/;

const NAMES = ['org.opencontainers.image.ref.name', 'io.containerd.image.name'];

export function selectOci(selection: Selection): Selected {
  const { files, name, architecture } = selection;
  const { manifests } = parseDocument(INDEX, files.read('index.json'), 'index.json');
  const seen = new Set<string>();
  const fitting = manifests.filter((each) => isImage(each) && mayRun(each, selection, seen));
  if (fitting.length === 0 && seen.size > 0) throw noneFits(architecture, seen);
  const images = fitting.map((image) => ({ image, key: keyOf(image), names: namesOf(image) }));
  const search: Search = { ...selection, seen, documents: 0 };
  for (const image of chooseByName(images, name)) {
    const found = find(search, image);
    if (found) return { ...found, names: namesOf(image) };
  }
  throw noneFits(architecture, seen);
}

const namesOf = ({ annotations }: Descriptor): string[] => NAMES.flatMap((key) => annotations?.[key] ?? []);

/** Images for several platforms may stand side by side without names: the first that fits is then meant. */
const keyOf = ({ digest, annotations }: Descriptor): string => (NAMES.some((key) => annotations?.[key] !== undefined) ? digest : '');

/** `seen`: the platforms that there are instead, for the message. */
type Search = Selection & { readonly seen: Set<string>; documents: number };

type Found = Omit<Selected, 'names'>;

function find(search: Search, descriptor: Descriptor): Found | undefined {
  const { mediaType, digest } = descriptor;
  if (INDEXES.includes(mediaType)) {
    const { manifests } = parseDocument(INDEX, readBlob(search, descriptor), digest);
    for (const each of manifests) {
      const found = isImage(each) && mayRun(each, search, search.seen) ? find(search, each) : undefined;
      if (found) return found;
    }
    return undefined;
  }
  if (!MANIFESTS.includes(mediaType)) throw unsupported(`a manifest has the media type ${quote(mediaType)}`);
  return readManifest(search, descriptor);
}

function readManifest(search: Search, descriptor: Descriptor): Found | undefined {
  const manifest = parseDocument(MANIFEST, readBlob(search, descriptor), descriptor.digest);
  if (!CONFIGS.includes(manifest.config.mediaType))
    throw unsupported(`its configuration has the media type ${quote(manifest.config.mediaType)}`);
  const config: ConfigDocument = parseDocument(CONFIG, readBlob(search, manifest.config), manifest.config.digest);
  if (!runsOn(search.architecture, config)) {
    search.seen.add(platformText(config));
    return undefined;
  }
  for (const { mediaType } of manifest.layers)
    if (!LAYER.test(mediaType)) throw unsupported(`a layer has the media type ${quote(mediaType)}`);
  const layers = manifest.layers.map(({ digest, size }) => ({ file: blobFile(digest), digest, size }));
  return { digest: manifest.config.digest, config, layers: pairLayers(config, layers) };
}

/** Throws `ImageDamaged` unless the blob is what its descriptor says. */
function readBlob(search: Search, { digest, size }: Descriptor): Buffer {
  const { files, limits } = search;
  // Also what keeps indexes from being followed without end.
  if (++search.documents > limits.documents)
    throw tooLarge(`it has more than the ${limits.documents} documents that are read for one image`);
  const file = blobFile(digest);
  const bytes = files.read(file);
  if (bytes.length !== size) throw damaged(`${file} has ${bytes.length} bytes, not ${size}`);
  checkDigest(bytes, digest, file);
  return bytes;
}

const blobFile = (digest: Digest): string => `blobs/${algorithmOf(digest)}/${digest.slice(digest.indexOf(':') + 1)}`;

/** Docker's builder puts attestations beside images, as manifests for the platform unknown/unknown. */
const isImage = ({ annotations, platform }: Descriptor): boolean =>
  annotations?.['vnd.docker.reference.type'] === undefined && platform?.os !== 'unknown';

/** Where a descriptor says no platform, the image's configuration does. */
function mayRun({ platform }: Descriptor, { architecture }: Selection, seen: Set<string>): boolean {
  if (!platform || runsOn(architecture, platform)) return true;
  seen.add(platformText(platform));
  return false;
}

const noneFits = (architecture: string, seen: ReadonlySet<string>) =>
  wrongPlatform(`it has ${[...seen].slice(0, 20).map(quote).join(', ') || 'nothing'}, and this machine is linux/${architecture}`);
