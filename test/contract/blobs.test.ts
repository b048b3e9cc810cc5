import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryDirectory } from '../temporary.ts';
import { FileBlobs } from '../../src/adapters/files/mod.ts';
import { SimBlobs } from '../../src/adapters/simulated/mod.ts';
import type { SimBlobsDisk } from '../../src/adapters/simulated/mod.ts';
import { blobsContract } from './blobs.ts';

blobsContract('FileBlobs', async (t) => {
  const directory = join(temporaryDirectory(t), 'blobs');
  return {
    open: () => FileBlobs.open({ directory }),
    damage: (sha256) => writeFile(join(directory, sha256.slice(0, 2), sha256.slice(2, 4), sha256), 'Precious'),
  };
});

blobsContract('SimBlobs', async () => {
  const disk: SimBlobsDisk = new Map();
  return { open: () => SimBlobs.open({ disk }), damage: async (sha256) => void disk.set(sha256, Buffer.from('Precious')) };
});
