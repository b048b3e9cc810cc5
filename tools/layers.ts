/**
 * Who may import whom. The rooms stand in layers, an arrow only points down, and rooms of one layer don't know each other.
 * test/tidy.test.ts holds the tree against this table; to allow something new, change the table in the same commit and say why.
 */
export type Room = {
  /** Rooms with a lower number are below. Only they may be imported, and only those listed. */
  readonly layer: number;
  readonly imports: readonly string[];
  /** npm packages. Vocabulary of others belongs at the edges. */
  readonly packages?: readonly string[];
  /** Node's modules it may load. `pure` ones compute; `all` are those with a clock, a file or a socket in them too. */
  readonly node: 'pure' | 'all';
  /** Modules with I/O whose types alone it may import, because it is handed such objects. */
  readonly nodeTypes?: readonly string[];
  /** Runtimes whose files it shares: the driver that starts one speaks its messages. */
  readonly runtimes?: readonly string[];
  /** Single files of a `pure` room that may do more, with the reason. */
  readonly except?: Readonly<Record<string, string>>;
};

const LOWER = ['kernel', 'protocol', 'policy', 'ports'];
const SERVICES = ['engine', 'control', 'events', 'state', 'edge', 'insight'];
const BELOW_MAIN = [...LOWER, ...SERVICES, 'api/door', 'api/lambda', 'api/admin', 'gateway'];
const HTTP_TYPES = ['node:http', 'node:net', 'node:stream'];

export const SIMULATED = 'adapters/simulated';
/** Below all runtimes: what each may have beside it in a sandbox. */
export const LADDER = 'ladder';
/** Runtimes that other runtimes are loaded by: their folders are there beside it in a sandbox. `carries` of its description says the same. */
export const CARRIED: Readonly<Record<string, readonly string[]>> = { node: ['provided', 'wasm'] };

export const ROOMS: Readonly<Record<string, Room>> = {
  kernel: {
    layer: 0,
    imports: [],
    node: 'pure',
    except: { 'clock.ts': 'is the clock', 'random.ts': 'is the random source' },
  },
  protocol: { layer: 1, imports: ['kernel'], node: 'pure' },
  policy: { layer: 2, imports: ['kernel', 'protocol'], node: 'pure' },
  ports: { layer: 2, imports: ['kernel', 'protocol'], node: 'pure' },
  engine: { layer: 3, imports: LOWER, node: 'pure' },
  control: { layer: 3, imports: LOWER, node: 'pure' },
  events: { layer: 3, imports: LOWER, node: 'pure' },
  state: { layer: 3, imports: LOWER, node: 'pure' },
  edge: { layer: 3, imports: LOWER, node: 'pure' },
  insight: { layer: 3, imports: LOWER, node: 'pure' },
  // Simulated time over the policies that production runs. It is handed what it reads.
  replay: { layer: 3, imports: ['kernel', 'protocol', 'policy'], node: 'pure' },
  // Who may come in, for everything that HTTP reaches.
  'api/door': { layer: 4, imports: [...LOWER, 'control'], packages: ['zod'], node: 'pure', nodeTypes: HTTP_TYPES },
  'api/lambda': { layer: 5, imports: [...LOWER, ...SERVICES, 'api/door'], packages: ['hono', 'zod'], node: 'pure', nodeTypes: HTTP_TYPES },
  'api/admin': { layer: 5, imports: [...LOWER, ...SERVICES, 'api/door'], packages: ['hono', 'zod'], node: 'pure', nodeTypes: HTTP_TYPES },
  gateway: { layer: 5, imports: [...LOWER, 'engine', 'control', 'insight', 'api/door'], node: 'pure', nodeTypes: HTTP_TYPES },
  // What the adapters of sandboxes share: the host's end of the socket.
  'adapters/link': { layer: 3, imports: ['kernel', 'protocol', 'ports'], runtimes: ['ladder', 'node'], node: 'all' },
  // What processes find by HTTP inside of their execution environment: the Runtime API.
  'adapters/execution': { layer: 4, imports: ['kernel', 'protocol', 'ports', 'adapters/link'], node: 'all' },
  'adapters/linux': {
    layer: 5,
    imports: ['kernel', 'protocol', 'ports', 'adapters/link', 'adapters/execution'],
    runtimes: ['ladder', 'node', 'python'],
    node: 'all',
  },
  'adapters/spawn': {
    layer: 5,
    imports: ['kernel', 'protocol', 'ports', 'adapters/link', 'adapters/execution'],
    // Of the ladder what it keeps from extensions.
    runtimes: ['ladder', 'node', 'provided', 'python'],
    node: 'all',
  },
  // The proxy that leads out of sandboxes: what it lets through is decided by policy, on addresses that only it has resolved.
  'adapters/egress': { layer: 4, imports: ['kernel', 'protocol', 'policy', 'ports'], node: 'all' },
  // The ports without a machine: for tests, in which every room may use it.
  [SIMULATED]: { layer: 4, imports: ['kernel', 'protocol', 'ports'], node: 'pure' },
  'adapters/sqlite': { layer: 4, imports: ['kernel', 'protocol', 'ports'], node: 'all' },
  // The platform's own log, as lines of JSON.
  'adapters/pino': { layer: 4, imports: ['kernel', 'protocol', 'ports'], packages: ['pino'], node: 'all' },
  'adapters/files': { layer: 4, imports: ['kernel', 'protocol', 'ports'], node: 'all' },
  'adapters/packages': { layer: 4, imports: ['kernel', 'protocol', 'ports'], packages: ['wabt', 'yauzl'], node: 'all' },
  // Container images: tar is read by tar-stream, their JSON documents, which come from outside, by zod.
  'adapters/images': { layer: 4, imports: ['kernel', 'protocol', 'ports'], packages: ['tar-stream', 'zod'], node: 'all' },
  main: {
    layer: 6,
    imports: [
      ...BELOW_MAIN,
      'adapters/egress',
      'adapters/linux',
      'adapters/pino',
      'adapters/spawn',
      'adapters/sqlite',
      'adapters/files',
      'adapters/images',
      'adapters/packages',
    ],
    packages: ['@hono/node-server', 'hono'],
    // What a runtime adds to a function's environment.
    runtimes: ['node', 'python', 'provided', 'wasm'],
    node: 'all',
  },
  // Talks HTTP to a running Hearth; `hearth wasm run` runs a module without one, and `hearth replay` a trace. `main` is for the verbs that start one: see CLI_STARTS_MAIN.
  cli: {
    layer: 7,
    imports: ['kernel', 'protocol', 'replay', 'main'],
    packages: ['commander', 'esbuild', 'yazl', 'zod'],
    runtimes: ['wasm'],
    node: 'all',
  },
};

/** The files of `cli` that may import `main`. */
export const CLI_STARTS_MAIN = /(^|\/)(up|doctor|runtimes|keys|wasm-run|live-platform)\.ts$/;

/** Node's modules without clock, randomness, files, sockets or processes in what the rooms use of them. */
export const PURE_NODE_MODULES: readonly string[] = [
  'node:assert',
  'node:buffer',
  'node:crypto',
  'node:events',
  'node:path',
  'node:path/posix',
  'node:punycode',
  'node:querystring',
  'node:string_decoder',
  'node:url',
  'node:util',
  'node:zlib',
];
// node:stream moves bytes that someone else reads and writes; it opens nothing by itself.
export const STREAM_MODULES: readonly string[] = ['node:stream', 'node:stream/promises', 'node:async_hooks'];

export const MAX_LINES = 400;
