import type { Image, Images, Uploads } from '../adapters/images/mod.ts';
import type { Functions, ImageStore } from '../control/mod.ts';
import { HearthError } from '../kernel/mod.ts';
import type { ImageAdmin } from '../api/admin/mod.ts';
import type { ImageView } from '../protocol/mod.ts';

/** Images and uploads as the admin API needs them. */
export function imageAdmin(
  { images, uploads }: { readonly images: Images; readonly uploads: Uploads },
  keeper: Functions['images'],
): ImageAdmin {
  return {
    begin: () => uploads.begin(),
    append: (id, offset, piece) => uploads.append(id, offset, piece),
    cancel: (id) => uploads.cancel(id),
    add: ({ upload, name }) =>
      uploads.take(upload, async (path, archive) => viewOf(await images.unpack(path, { archive, ...(name !== undefined && { name }) }))),
    async brought({ archive, name }) {
      const image = await images.brought(archive, name === undefined ? {} : { name });
      return image && viewOf(image);
    },
    async list() {
      const all = await Promise.all((await images.list()).map((digest) => images.get(digest)));
      return all.map(viewOf);
    },
    async delete(digest) {
      if (!(await keeper.removing(digest, () => images.delete(digest))))
        throw new HearthError('ImageNotFound', `there is no image ${digest}`);
    },
  };
}

/** Images as functions need them. */
export function imageStore(images: Images): ImageStore {
  return {
    find: (reference) => images.find(reference),
    async get(digest) {
      const { root, config } = await images.get(digest);
      const { entrypoint, command, environment, workingDirectory } = config;
      const architecture = config.architecture === 'arm64' ? 'arm64' : 'x86_64';
      return { digest, directory: root, architecture, entryPoint: entrypoint, command, environment, workingDirectory };
    },
  };
}

function viewOf({ digest, config, layers, names }: Image): ImageView {
  const { architecture, entrypoint, command, workingDirectory } = config;
  return { digest, names, architecture, entrypoint, command, workingDirectory, layers: layers.map((layer) => layer.digest) };
}
