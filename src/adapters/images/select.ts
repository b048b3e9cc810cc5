/** Finds, among all that an archive or a layout holds, the image that is meant, and checks every document on the way to it. */
import { OCI_LAYOUT, parseDocument } from './documents.ts';
import { invalid, tooLarge, wrongPlatform } from './errors.ts';
import { platformText, runsOn } from './platform.ts';
import { selectDocker } from './select-docker.ts';
import { selectOci } from './select-oci.ts';
import type { Selected, Selection } from './selection.ts';

/** Throws HearthError with one of the codes of images. */
export function selectImage(selection: Selection): Selected {
  const selected = select(selection);
  const { config, layers } = selected;
  const { architecture, limits } = selection;
  if (!runsOn(architecture, config)) throw wrongPlatform(`it is for ${platformText(config)}, and this machine is linux/${architecture}`);
  if (layers.length === 0) throw invalid('it has no layers');
  if (layers.length > limits.layers) throw tooLarge(`it has ${layers.length} layers; ${limits.layers} are allowed`);
  return selected;
}

/** Docker has written both documents into one archive since version 25; OCI's have a digest for everything. */
function select(selection: Selection): Selected {
  const { files } = selection;
  if (files.size('index.json') !== undefined && files.size('oci-layout') !== undefined) {
    const { imageLayoutVersion } = parseDocument(OCI_LAYOUT, files.read('oci-layout'), 'oci-layout');
    if (!imageLayoutVersion.startsWith('1.')) throw invalid(`its layout has the version ${imageLayoutVersion}, which is not known here`);
    return selectOci(selection);
  }
  if (files.kind === 'archive' && files.size('manifest.json') !== undefined) return selectDocker(selection);
  throw invalid('it is no OCI image layout (index.json and oci-layout), and no archive of docker save (manifest.json)');
}
