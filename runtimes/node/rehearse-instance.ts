/**
 * What an instance does while nobody waits for it. A fork shares all pages with its template until it writes to one, which the kernel then
 * copies (fork(2)): a first invocation would wait for some hundred of them. Most belong to the runtime and not to the function, so that
 * invocations of nothing, through the real loop, take them beforehand.
 */
import { writeSync } from 'node:fs';
import { libc } from '../ladder/libc.ts';
import { socketPair } from '../ladder/messages.ts';
import { Channel } from './channel.ts';
import { divertOutput } from './console.ts';
import { formFrame, invokeFrame } from './invocation-frames.ts';
import type { Loaded } from './loaded.ts';
import { prepareRehearsal } from './serve.ts';

const FRAMES = [formFrame(1), invokeFrame(2)];
const NOWHERE = -1;
const ANSWER = { statusCode: 200, headers: { 'content-type': 'application/json' }, body: '{"message":"hello"}' };
const NO_ANSWER = Buffer.from('null');

/** In the template, for all its children. Nothing of what a child then does here calls the function, or is seen by it. */
export function prepareToRehearse(loaded: Loaded): () => void {
  const channel = new Channel(NOWHERE);
  const serve = prepareRehearsal(standIn(loaded), channel);
  return () => {
    let ends: readonly [number, number] | undefined;
    try {
      ends = socketPair();
      for (let i = 0; i < FRAMES.length; i++) writeSync(ends[0], FRAMES[i]!);
      channel.swap(ends[1]);
      divertOutput(channel, () => serve(FRAMES.length));
    } catch {
      // It has no descriptors left, or the function has changed what the runtime stands on: it is as good an instance without.
    }
    if (!ends) return;
    libc.close(ends[0]);
    libc.close(ends[1]);
  };
}

function standIn(loaded: Loaded): Loaded {
  const { afterBytes, rehearse } = loaded;
  const handler = rehearse ? (event: unknown) => rehearse(event as Uint8Array) : () => (afterBytes ? NO_ANSWER : ANSWER);
  return { ...loaded, handler, edge: false, streaming: false, returnsValues: true, ...(afterBytes && { afterBytes: () => {} }) };
}
