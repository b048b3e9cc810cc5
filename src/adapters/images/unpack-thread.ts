/** The host's end of a thread that unpacks one image: its work blocks, and the host goes on serving meanwhile. */
import { getCompileCacheDir } from 'node:module';
import { dirname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { HearthError } from '../../kernel/mod.ts';
import { tooLarge } from './errors.ts';
import type { Image } from './image.ts';
import type { UnpackRequest } from './unpack.ts';
import type { UnpackReply } from './unpack-worker.ts';

/** Of JavaScript's heap: what a layer with the most entries that are allowed takes, several times over. */
const HEAP_MIB = 1024;

/** Throws what `unpackImage` throws, and `ShuttingDown` when `signal` says so. What a thread leaves that was ended by its time limit, by lack of memory or by `signal` is for the caller to remove. */
export async function unpackInThread(request: UnpackRequest, signal: AbortSignal): Promise<Image> {
  if (signal.aborted) throw shuttingDown();
  const reply = Promise.withResolvers<UnpackReply>();
  const worker = new Worker(SCRIPT, {
    workerData: request,
    execArgv: [],
    env: environment(),
    name: 'hearth-image',
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB },
  });
  const failed = (how: string, cause?: unknown) =>
    reply.reject(new HearthError('Internal', `the thread that unpacked an image failed: ${how}`, { cause }));
  worker.on('message', reply.resolve);
  worker.on('messageerror', (error) => failed('it sent what cannot be read', error));
  worker.on('error', (error) => failed(String(error), error));
  worker.on('exit', (code) => failed(`it exited with ${code}`));
  const { unpackMs } = request.limits;
  const timer = setTimeout(() => reply.reject(tooLarge(`unpacking it takes longer than ${unpackMs / 1000} s`)), unpackMs);
  const giveUp = () => reply.reject(shuttingDown());
  signal.addEventListener('abort', giveUp);
  try {
    return imageOf(await reply.promise);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', giveUp);
    await worker.terminate();
  }
}

const shuttingDown = () => new HearthError('ShuttingDown', 'the platform is shutting down, and the image was not unpacked');

function imageOf(reply: UnpackReply): Image {
  if (reply.kind === 'unpacked') return reply.image;
  throw new HearthError(reply.code, reply.message, { cause: reply.cause });
}

// Compiled code has another extension than the source.
const SCRIPT = new URL(import.meta.url.endsWith('.ts') ? './unpack-worker.ts' : './unpack-worker.js', import.meta.url);

/** A thread does not take over the compile cache that its process has turned on; Node names a directory of its version's own inside it. */
function environment(): NodeJS.ProcessEnv {
  const cache = getCompileCacheDir();
  return { ...process.env, ...(cache !== undefined && { NODE_COMPILE_CACHE: dirname(cache) }) };
}
