import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openPackages } from '../../../src/adapters/packages/mod.ts';
import { SimBlobs, SimStore } from '../../../src/adapters/simulated/mod.ts';
import { createLambdaApi } from '../../../src/api/lambda/mod.ts';
import { Functions } from '../../../src/control/mod.ts';
import { silentLog, systemClock, systemRandom } from '../../../src/kernel/mod.ts';
import { createSeal } from '../../../src/protocol/mod.ts';
import { createDeployments } from '../../../src/main/deployments.ts';
import type { CloseAtEnd } from '../../closing.ts';
import { createInProcessEngine } from './in-process-engine.ts';

export const NEVER_THERE = 'its instances never come up';

/** The endpoint of the Hearth at HEARTH_ENDPOINT, or else of a Lambda API in this process over simulated storage, which `closeAtEnd` has closed. */
export async function serverUnderTest(closeAtEnd: CloseAtEnd): Promise<string> {
  return process.env['HEARTH_ENDPOINT'] || startInProcess(closeAtEnd);
}

async function startInProcess(closeAtEnd: CloseAtEnd): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'hearth-lambda-'));
  closeAtEnd(() => rm(directory, { recursive: true, force: true }));
  const blobs = await SimBlobs.open();
  const code = await openPackages({ directory, blobs });
  closeAtEnd(() => code.close());
  const realm = { region: 'us-east-1', accountId: '000000000000' };
  const store = await SimStore.open();
  const seal = createSeal([systemRandom.bytes(32)], systemRandom);
  const functions = await Functions.open({ store, blobs, code, clock: systemClock, random: systemRandom, realm, seal });
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test', sessionToken: '' };
  const listener = createLambdaApi({
    functions,
    engine: createInProcessEngine(),
    deploymentOf: createDeployments({ realm, ownNetwork: true, hostUrl: '', credentials }),
    functionUrl: (urlId) => `http://${urlId}.lambda-url.us-east-1.localhost:4566/`,
    // Whatever is asked for is there at once, unless the function's description says otherwise.
    provisioningOf: ({ record }) =>
      record.latest.settings.description === NEVER_THERE
        ? { allocated: 1, available: 0, failure: { reason: 'init has failed', givenUp: true } }
        : { allocated: 10_000, available: 10_000 },
    log: silentLog,
  });
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closeAtEnd(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
