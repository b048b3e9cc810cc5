/**
 * Runs what every child will run, once, in the zygote: what is compiled here is compiled for all of them. An invocation through the real
 * loop over a real socket, and loading a module of each kind.
 */
import { writeSync } from 'node:fs';
import { Channel, HEAD_BYTES, KIND } from './channel.ts';
import { functionFacts } from './context.ts';
import { ending } from './ending.ts';
import { libc } from './libc.ts';
import { loadHandler } from './load.ts';
import { loopAlive } from './loop.ts';
import { socketPair } from './messages.ts';
import { serve } from './serve.ts';

const ROUNDS = 20;

export async function rehearse(): Promise<void> {
  const { exit, fault, idle } = ending;
  const here = import.meta.dirname;
  for (const name of ['rehearsal-module', 'rehearsal-script']) await invokeRepeatedly(await loadHandler(here, `${name}.handler`));
  Object.assign(ending, { exit, fault, idle });
}

async function invokeRepeatedly(handler: Parameters<typeof serve>[0]['handler']): Promise<void> {
  const [host, sandbox] = socketPair();
  const done = Promise.withResolvers<void>();
  const loaded = { handler, streaming: false, highWaterMark: undefined, facts: functionFacts({}), returnsValues: true };
  serve(loaded, new Channel(sandbox), { concurrency: 1, exit: () => done.resolve(), loopAlive });
  for (let round = 0; round < ROUNDS; round++) writeSync(host, invokeFrame(round));
  const SHUT_WR = 1;
  libc.shutdown(host, SHUT_WR);
  await done.promise;
  libc.close(host);
  libc.close(sandbox);
}

function invokeFrame(stream: number): Buffer {
  const head = Buffer.from(JSON.stringify({ deadlineMs: 0, arn: '' }));
  const event = Buffer.from('{"name":"Ada","list":[1,2,3]}');
  const frame = Buffer.alloc(HEAD_BYTES + 4 + head.length + event.length);
  frame.writeUInt32LE(frame.length - HEAD_BYTES, 0);
  frame[4] = KIND.invoke;
  frame.writeUInt32LE(stream, 5);
  frame.writeUInt32LE(head.length, HEAD_BYTES);
  frame.set(head, HEAD_BYTES + 4);
  frame.set(event, HEAD_BYTES + 4 + head.length);
  return frame;
}
