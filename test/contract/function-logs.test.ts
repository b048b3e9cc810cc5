import { temporaryDirectory } from '../temporary.ts';
import { FileFunctionLogs } from '../../src/adapters/files/mod.ts';
import { SimFunctionLogs } from '../../src/adapters/simulated/mod.ts';
import type { SimLogsDisk } from '../../src/adapters/simulated/mod.ts';
import { systemClock } from '../../src/kernel/mod.ts';
import { functionLogsContract } from './function-logs.ts';

functionLogsContract('FileFunctionLogs', async (t) => {
  const directory = temporaryDirectory(t);
  return { open: () => FileFunctionLogs.open({ directory, clock: systemClock }) };
});

functionLogsContract('SimFunctionLogs', async () => {
  const disk: SimLogsDisk = { entries: new Map(), starts: new Map(), reports: new Map() };
  return { open: () => SimFunctionLogs.open({ disk }) };
});
