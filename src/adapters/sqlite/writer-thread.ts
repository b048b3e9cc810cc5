import { getCompileCacheDir } from 'node:module';
import { dirname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { HearthError } from '../../kernel/mod.ts';
import type { CommitResult, EncodedWrite } from './group.ts';
import type { WriterReply, WriterRequest } from './writer.ts';

/** The host's end of the writer thread. One request at a time. */
export type WriterThread = {
  /** Rejects with HearthError `StoreFailed` when the thread is gone. */
  commit(commits: readonly (readonly EncodedWrite[])[]): Promise<readonly CommitResult[]>;
  /** Rejects with HearthError `StoreFailed`. */
  scrub(): Promise<void>;
  close(): Promise<void>;
};

/** Throws HearthError `DataDirectoryUnusable` when the file at `path` cannot be used as a store. */
export async function startWriter(path: string, script: URL = WRITER_SCRIPT): Promise<WriterThread> {
  const ask = askThread(new Worker(script, { workerData: { path }, execArgv: [], env: environment(), name: 'hearth-store-writer' }));
  const opened = await ask({ kind: 'open' });
  if (opened.kind === 'refused') {
    await ask({ kind: 'close' });
    throw new HearthError('DataDirectoryUnusable', opened.message);
  }
  return {
    async commit(commits) {
      const reply = await ask({ kind: 'commit', commits });
      if (reply.kind !== 'results')
        throw new HearthError('StoreFailed', `the store's writer thread answered a commit with "${reply.kind}"`);
      return reply.results;
    },
    async scrub() {
      const reply = await ask({ kind: 'scrub' });
      if (reply.kind === 'scrubbed') return;
      const why = reply.kind === 'unscrubbed' ? reply.message : `the writer thread answered with "${reply.kind}"`;
      throw new HearthError('StoreFailed', `what was stored before could not be removed from the store's files: ${why}`);
    },
    async close() {
      try {
        await ask({ kind: 'close' });
      } catch (error) {
        // A thread that is gone holds nothing open.
        if (!(error instanceof HearthError && error.code === 'StoreFailed')) throw error;
      }
    },
  };
}

// Compiled code has another extension than the source.
const WRITER_SCRIPT = new URL(import.meta.url.endsWith('.ts') ? './writer.ts' : './writer.js', import.meta.url);

/** A thread does not take over the compile cache that its process has turned on; Node names a directory of its version's own inside it. */
function environment(): NodeJS.ProcessEnv {
  const cache = getCompileCacheDir();
  return { ...process.env, ...(cache !== undefined && { NODE_COMPILE_CACHE: dirname(cache) }) };
}

function askThread(worker: Worker): (request: WriterRequest) => Promise<WriterReply> {
  let waiting: PromiseWithResolvers<WriterReply> | undefined;
  let death: HearthError | undefined;

  const settle = (use: (asked: PromiseWithResolvers<WriterReply>) => void) => {
    const asked = waiting;
    waiting = undefined;
    // An idle store does not keep the process alive; one that writes does.
    worker.unref();
    if (asked) use(asked);
  };
  const die = (how: string, cause?: unknown) => {
    death ??= new HearthError(
      'StoreFailed',
      `the store's writer thread is gone (${how}). What was acknowledged is safe; a write that was under way may or may not have been stored. Restart Hearth.`,
      { cause },
    );
    const error = death;
    settle((asked) => asked.reject(error));
  };

  worker.on('message', (reply: WriterReply) => settle((asked) => asked.resolve(reply)));
  worker.on('messageerror', (error) => die('it sent what cannot be read', error));
  worker.on('error', (error) => die(error instanceof Error ? error.message : String(error), error));
  worker.on('exit', (code) => die(`it ended with code ${code}`));

  return (request) => {
    if (death) return Promise.reject(death);
    waiting = Promise.withResolvers<WriterReply>();
    worker.ref();
    worker.postMessage(request);
    return waiting.promise;
  };
}
