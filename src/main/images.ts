import type { Image, Images, Uploads } from '../adapters/images/mod.ts';
import { HearthError } from '../kernel/mod.ts';
import type { ImageAdmin, ImageView } from '../api/admin/mod.ts';

/** Images and uploads as the admin API needs them. */
export function imageAdmin({ images, uploads }: { readonly images: Images; readonly uploads: Uploads }): ImageAdmin {
  return {
    begin: () => uploads.begin(),
    append: (id, offset, piece) => uploads.append(id, offset, piece),
    cancel: (id) => uploads.cancel(id),
    add: ({ upload, name }) => uploads.take(upload, async (path) => viewOf(await images.unpack(path, name === undefined ? {} : { name }))),
    async list() {
      const all = await Promise.all((await images.list()).map((digest) => images.get(digest)));
      return all.map(viewOf);
    },
    async delete(digest) {
      if (!(await images.delete(digest))) throw new HearthError('ImageNotFound', `there is no image ${digest}`);
    },
  };
}

function viewOf({ digest, config, layers }: Image): ImageView {
  const { architecture, entrypoint, command, workingDirectory } = config;
  return { digest, architecture, entrypoint, command, workingDirectory, layers: layers.map((layer) => layer.digest) };
}
