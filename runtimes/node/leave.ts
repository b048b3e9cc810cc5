import { uncurry } from '../ladder/uncurry.ts';
import { ending } from './ending.ts';

const { setTimeout } = globalThis;
const listeners = uncurry<NodeJS.Process, [string], number>(process.listenerCount);
/** The host ends who is still there sooner. */
const LEFT_AFTER_MS = 1_000;

/** The host has closed. Who has something to do at SIGTERM, which a function with extensions is sent, has its time for that. */
export function leave(): void {
  if (listeners(process, 'SIGTERM') === 0) ending.exit(0);
  else setTimeout(() => ending.exit(0), LEFT_AFTER_MS);
}
