/** TLS sessions that init's requests have left in the agent that all share: whoever resumes one shares its secret. */
import type { Agent } from 'node:https';

const { getBuiltinModule } = process;
const { moduleLoadList } = process as unknown as { readonly moduleLoadList: readonly string[] };

/** At the end of init. Costs nothing where `node:https` was not loaded. */
export function forgetSessions(): void {
  if (!moduleLoadList.includes('NativeModule https')) return;
  const { globalAgent } = getBuiltinModule('node:https');
  // Where it keeps them is not documented.
  (globalAgent as Agent & { _sessionCache?: unknown })._sessionCache = { map: {}, list: [] };
}
