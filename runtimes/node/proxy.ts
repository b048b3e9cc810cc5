/**
 * Has Node's HTTP clients use the proxy that the environment names, as `NODE_USE_ENV_PROXY` does in a process that starts with it: here it
 * comes with the function, to a process that has started long before. Agents that user code makes use it as well, where they connect in
 * Node's own way: SDKs bring agents of their own. What is needed by `fetch` alone is loaded with the first request.
 */
import type { Agent, AgentOptions } from 'node:http';

type Http = typeof import('node:http') & { setGlobalProxyFromEnv(env?: NodeJS.ProcessEnv): () => void };
type Https = typeof import('node:https');
type WithProxy = AgentOptions & { proxyEnv?: unknown };
type Dispatcher = { dispatch(...call: unknown[]): unknown };

export function followProxy(): void {
  const { env } = process;
  if (env['NODE_USE_ENV_PROXY'] !== '1' || ![env['http_proxy'], env['HTTP_PROXY'], env['https_proxy'], env['HTTPS_PROXY']].some(Boolean))
    return;
  // By `import` all exports would be read, and with them what is loaded only then.
  const http = process.getBuiltinModule('node:http') as Http;
  const https = process.getBuiltinModule('node:https');
  proxyAgents(http, https);
  const like = { keepAlive: true, scheduling: 'lifo', timeout: 5000 } as const;
  http.globalAgent = new http.Agent(like);
  https.globalAgent = new https.Agent(like);
  proxyFetch(http, https);
}

/** An agent's constructor assigns its options: that is where the environment is added, so that both classes stay what they are. */
function proxyAgents(http: Http, https: Https): void {
  const { createConnection: plain, addRequest, createSocket } = http.Agent.prototype as unknown as Record<string, unknown>;
  const { createConnection: secure } = https.Agent.prototype as unknown as Record<string, unknown>;
  const connectsAsNode = (agent: Record<string, unknown>) =>
    (agent['createConnection'] === plain || agent['createConnection'] === secure) &&
    agent['addRequest'] === addRequest &&
    agent['createSocket'] === createSocket;
  Object.defineProperty(http.Agent.prototype, 'options', {
    configurable: true,
    set(this: Agent, options: WithProxy & { socketPath?: unknown; createConnection?: unknown }) {
      const free = options.proxyEnv === undefined && options.socketPath === undefined && options.createConnection === undefined;
      if (free && connectsAsNode(this as unknown as Record<string, unknown>)) options.proxyEnv = process.env;
      Object.defineProperty(this, 'options', { value: options, writable: true, enumerable: true, configurable: true });
    },
  });
}

/** Where Node's fetch finds what sends its requests. */
const DISPATCHERS = ['undici.globalDispatcher.1', 'undici.globalDispatcher.2'].map((name) => Symbol.for(name));

function proxyFetch(http: Http, https: Https): void {
  const globals = globalThis as unknown as Record<symbol, Dispatcher | undefined>;
  const load = (): void => {
    const agents = [http.globalAgent, https.globalAgent] as const;
    http.setGlobalProxyFromEnv(process.env);
    [http.globalAgent, https.globalAgent] = agents;
  };
  for (const key of DISPATCHERS) {
    const lazy: Dispatcher = {
      dispatch(...call) {
        if (globals[key] === lazy) load();
        return globals[key]!.dispatch(...call);
      },
    };
    // Where it is loaded already the property is one that can be written to, and no more.
    if (Object.hasOwn(globals, key)) globals[key] = lazy;
    else Object.defineProperty(globals, key, { value: lazy, writable: true, enumerable: false, configurable: true });
  }
}
