/** What the host hears of init. */
import { machineMs } from '../ladder/steps.ts';
import type { Channel } from './channel.ts';
import { KIND } from './channel.ts';
import { flushLines } from './console.ts';
import { toFunctionError } from './errors.ts';
import type { InitFailed, Initialised } from './init.ts';

const { stringify } = JSON;

/** Sends how init went; whether it went well. `before`: the times of what came before init, as the host expects them. */
export function reportInit(channel: Channel, outcome: Initialised | InitFailed | Error, before: readonly number[]): outcome is Initialised {
  flushLines();
  if (outcome instanceof Error || 'failed' in outcome) {
    const thrown = outcome instanceof Error ? outcome : outcome.failed;
    channel.sendText(KIND.initError, 0, 0, 0, stringify(toFunctionError(thrown)));
    return false;
  }
  const { initMs, streaming, blockers, shownMs, loadedMs } = outcome;
  const times = [shownMs, loadedMs, machineMs()];
  channel.sendText(KIND.ready, 0, 0, 0, stringify({ initMs, streaming, blockers, before, times }));
  return true;
}
