import { join } from 'node:path';
import { temporaryDirectory } from '../temporary.ts';
import { SimStore } from '../../src/adapters/simulated/mod.ts';
import type { SimStoreDisk } from '../../src/adapters/simulated/mod.ts';
import { SqliteStore } from '../../src/adapters/sqlite/mod.ts';
import { storeContract } from './store.ts';

storeContract('SqliteStore', async (t) => {
  const path = join(temporaryDirectory(t), 'store.db');
  return { open: () => SqliteStore.open({ path }) };
});

storeContract('SimStore', async () => {
  const disk: SimStoreDisk = { revision: 0, records: new Map() };
  return { open: () => SimStore.open({ disk }) };
});
