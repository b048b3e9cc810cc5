/**
 * The peer workerd, from the registry: one process with a static worker, and a worker that loads, through the Worker Loader, a new
 * dynamic isolate for every request. That is what workerd offers for code that arrives at run time.
 */
import { createRequire } from 'node:module';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { firstLine, removeDirectory, startChild, stopChild, temporaryDirectory } from '../children.ts';
import type { Answer } from '../client.ts';
import { withoutTransport } from './bare.ts';

export type Workerd = { readonly staticUrl: string; readonly dynamicUrl: string; readonly stop: () => Promise<void> };

const CONFIG = `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "static", worker = (
      modules = [(name = "static.js", esModule = embed "static.js")],
      compatibilityDate = "2026-01-01")),
    (name = "dynamic", worker = (
      modules = [(name = "dynamic.js", esModule = embed "dynamic.js")],
      compatibilityDate = "2026-01-01",
      compatibilityFlags = ["experimental"],
      bindings = [(name = "LOADER", workerLoader = ())])),
  ],
  sockets = [
    (name = "static", address = "127.0.0.1:0", http = (), service = "static"),
    (name = "dynamic", address = "127.0.0.1:0", http = (), service = "dynamic"),
  ],
);
`;

const staticWorker = (status: number, headers: readonly string[], body: string) => `
const headers = ${JSON.stringify(pairs(headers).filter(([name]) => name.toLowerCase() !== 'content-length'))};
export default { fetch: () => new Response(${JSON.stringify(body)}, { status: ${status}, headers }) };
`;

/** The code of each isolate differs by its number, as the code of each function deployed to Hearth does. */
const dynamicWorker = (body: string) => `
let count = 0;
export default {
  fetch(request, env) {
    const id = 'worker-' + count++;
    const load = () => ({
      compatibilityDate: '2026-01-01',
      mainModule: 'main.js',
      modules: { 'main.js': '// ' + id + '\\n' + ${JSON.stringify(`export default { fetch: () => new Response(${JSON.stringify(body)}) };`)} },
      globalOutbound: null,
    });
    return env.LOADER.get(id, load).getEntrypoint().fetch(request);
  },
};
`;

/** `answer`: what the static worker answers to everything, and whose body the dynamic ones answer. */
export async function startWorkerd(answer: Answer): Promise<Workerd> {
  const directory = await temporaryDirectory();
  const body = answer.body.toString();
  await writeFile(join(directory, 'config.capnp'), CONFIG);
  await writeFile(join(directory, 'static.js'), staticWorker(answer.status, withoutTransport(answer.headers), body));
  await writeFile(join(directory, 'dynamic.js'), dynamicWorker(body));
  // The package's main is the path of the program itself; its bin is a script that would stand between us and the process.
  const { default: program } = createRequire(import.meta.url)('workerd') as { readonly default: string };
  const child = startChild(program, ['serve', 'config.capnp', 'config', '--experimental', '--control-fd=3'], {
    cwd: directory,
    stdio: ['ignore', 'ignore', 'inherit', 'pipe'],
  });
  const ports = new Map<string, number>();
  await firstLine(
    child,
    'workerd',
    (line) => {
      const event = JSON.parse(line) as { readonly event: string; readonly socket?: string; readonly port?: number };
      if (event.event === 'listen' && event.socket !== undefined && event.port !== undefined) ports.set(event.socket, event.port);
      return ports.size === 2 ? true : undefined;
    },
    3,
  );
  return {
    staticUrl: `http://127.0.0.1:${ports.get('static')}/`,
    dynamicUrl: `http://127.0.0.1:${ports.get('dynamic')}/`,
    async stop() {
      await stopChild(child);
      await removeDirectory(directory);
    },
  };
}

function pairs(flat: readonly string[]): [string, string][] {
  return Array.from({ length: flat.length >> 1 }, (_, i) => [flat[2 * i]!, flat[2 * i + 1]!]);
}
