import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HearthError } from '../kernel/mod.ts';
import { ImageKeeper } from './image-keeper.ts';
import type { StoredImage } from './image-store.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;
const IMAGE: StoredImage = {
  digest: DIGEST,
  directory: '/images/a',
  architecture: 'x86_64',
  entryPoint: [],
  command: [],
  environment: {},
  workingDirectory: '/',
};

function keeperOf(users: readonly string[] = []) {
  let there = true;
  const images = {
    find: async () => (there ? DIGEST : undefined),
    async get() {
      if (!there) throw new HearthError('ImageNotFound', 'it is gone');
      return IMAGE;
    },
  };
  const remove = async () => {
    await Promise.resolve();
    there = false;
    return 'removed';
  };
  return { keeper: new ImageKeeper({ images, users: () => users }), remove };
}

const conflict = (pattern: RegExp) => (error: unknown) =>
  error instanceof HearthError && error.code === 'ResourceConflictException' && pattern.test(error.message);

test('an image that functions have is not removed, and who has it is said', async () => {
  const { keeper, remove } = keeperOf(['a:1', 'b:$LATEST', 'c:1', 'd:1', 'e:1', 'f:1', 'g:1']);
  await assert.rejects(keeper.removing(DIGEST, remove), conflict(/is used by a:1, b:\$LATEST, c:1, d:1, e:1 and 2 more\./));
});

test('an image that a function is being made of is removed only when that has come to nothing', async () => {
  const { keeper, remove } = keeperOf();
  const [first, second] = [await keeper.find('x'), await keeper.find('x')];
  first.release();
  first.release();
  await assert.rejects(keeper.removing(DIGEST, remove), conflict(/still in use/));
  second.release();
  assert.equal(await keeper.removing(DIGEST, remove), 'removed');
});

test('an image that is being removed is not found, whatever the order of things', async () => {
  const { keeper, remove } = keeperOf();
  const removing = keeper.removing(DIGEST, remove);
  await assert.rejects(keeper.find('x'), /Source image x is not valid/);
  await removing;
  await assert.rejects(keeper.find('x'), /Source image x is not valid/);
});

test('without a store of images there are none', async () => {
  const keeper = new ImageKeeper({ images: undefined, users: () => [] });
  await assert.rejects(keeper.find('x'), /hearth images push/);
  await assert.rejects(keeper.get(DIGEST), (error) => error instanceof HearthError && error.code === 'ImageNotFound');
});
