/** What the host hears of init. */
import type { Channel } from './channel.ts';
import { KIND } from './channel.ts';
import { flushLines } from './console.ts';
import { toFunctionError } from './errors.ts';
import type { InitFailed, Initialised } from './init.ts';

const { stringify } = JSON;

/** Sends how init went; whether it went well. */
export function reportInit(channel: Channel, outcome: Initialised | InitFailed | Error): outcome is Initialised {
  flushLines();
  if (outcome instanceof Error || 'failed' in outcome) {
    const thrown = outcome instanceof Error ? outcome : outcome.failed;
    channel.sendText(KIND.initError, 0, 0, 0, stringify(toFunctionError(thrown)));
    return false;
  }
  const { initMs, streaming, blockers } = outcome;
  channel.sendText(KIND.ready, 0, 0, 0, stringify({ initMs, streaming, blockers }));
  return true;
}
