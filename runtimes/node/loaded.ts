import type { FunctionFacts } from './context.ts';
import type { Handler } from './load.ts';

/** What init made. */
export type Loaded = {
  readonly handler: Handler;
  /** It is that of an edge module. */
  readonly edge: boolean;
  readonly streaming: boolean;
  readonly highWaterMark: number | undefined;
  readonly facts: FunctionFacts;
  /** Whether what a handler returns that is not async is its answer (Node 24 and later), or only its callback counts. */
  readonly returnsValues: boolean;
  /** The handler takes the bytes of the event and returns those of the answer, at once; then this is called, and may take its time. */
  readonly afterBytes?: () => void;
  /** Does what it does around the function's own code, with an event that is none. Returns an answer. */
  readonly rehearse?: (event: Uint8Array) => Uint8Array;
};
