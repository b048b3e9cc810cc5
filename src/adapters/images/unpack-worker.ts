/** The thread's end: unpacks what it was started with, and answers once. */
import { inspect } from 'node:util';
import { parentPort, workerData } from 'node:worker_threads';
import { asHearthError } from '../../kernel/mod.ts';
import type { ErrorCode } from '../../kernel/mod.ts';
import type { Image } from './image.ts';
import { unpackImage } from './unpack.ts';
import type { UnpackRequest } from './unpack.ts';

/** An error with a code does not pass between threads as what it is. */
export type UnpackReply =
  | { readonly kind: 'unpacked'; readonly image: Image }
  | { readonly kind: 'failed'; readonly code: ErrorCode; readonly message: string; readonly cause: string };

parentPort?.postMessage(await run(workerData as UnpackRequest));

async function run(request: UnpackRequest): Promise<UnpackReply> {
  try {
    return { kind: 'unpacked', image: await unpackImage(request) };
  } catch (thrown) {
    const { code, message, cause } = asHearthError(thrown);
    return { kind: 'failed', code, message, cause: inspect(cause) };
  }
}
