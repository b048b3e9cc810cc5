/** How long a further instance takes to answer. */
import { openClient } from './client.ts';
import type { Answer, Client } from './client.ts';
import { invoke } from './hearth.ts';
import type { Hearth } from './hearth.ts';

/** A handler that holds its instance for as long as it is told, and says how many invocations that instance has served. */
export const HOLDING = `let served = 0;
export const handler = async (event) => {
  served += 1;
  if (event.holdMs) await new Promise((resolve) => setTimeout(resolve, event.holdMs));
  return { served };
};
`;

export type FurtherOptions = {
  readonly client: Client;
  readonly hearth: Hearth;
  /** Of a function whose answer is like HOLDING's, with a timeout of 60 s. */
  readonly name: string;
  readonly count: number;
  /** What else is to be measured in turn with those that count. */
  readonly beside?: (answer: Answer) => Promise<void>;
};

const HOLD_MS = 40_000;

/**
 * Every instance runs one invocation at a time. So each round first asks for an answer, which a new instance must give because all
 * others are held, and then holds that instance by an invocation that takes longer than all rounds. Milliseconds, from request to answer.
 */
export async function furtherTimes({ client, hearth, name, count, beside }: FurtherOptions): Promise<number[]> {
  // Held invocations keep their connections; the one that is measured goes over a warm one.
  const holds = openClient();
  const times: number[] = [];
  const startedMs = performance.now();
  for (let round = -2; times.length < count; round++) {
    if (performance.now() - startedMs > HOLD_MS - 5_000) throw new Error(`only ${times.length} new instances answered in ${HOLD_MS} ms`);
    const answer = await invoke(client, hearth, name, {});
    const { served } = JSON.parse(answer.body.toString()) as { readonly served: number };
    if (round >= 0 && served === 1) {
      times.push(answer.ms);
      await beside?.(answer);
    }
    // Nobody waits for this answer; it ends with the server.
    invoke(holds, hearth, name, { holdMs: HOLD_MS }).catch(() => undefined);
    await settled();
  }
  holds.close();
  return times;
}

/** Long enough for a request that was just written to have taken its instance, and for the machine to come to rest. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 20));
}
