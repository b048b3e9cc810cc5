/** What the rungs of the ladder say to each other: messages down, records up. */

/**
 * Host -> zygote, with the descriptors [control, output, doorway]: make a blank sandbox, one that waits for its function. Over the doorway
 * the host gets sockets that listen inside: that of `insidePort` at once, those of endpoints with the function. With `guest` there is one more
 * descriptor, the last: the keeper's connection to a template that comes from elsewhere.
 */
export type BlankMessage = {
  /** An empty directory of the host to build the sandbox's root on. */
  readonly root: string;
  /** The directory under which all unpacked packages lie; not visible once the function is there. */
  readonly packages: string;
  /** The user that the sandbox becomes, when the zygote is root; its own user otherwise. */
  readonly uid: number;
  /** Where it listens for what goes to the host, at its own 127.0.0.1; 'host': it has no network of its own, and there is no doorway. */
  readonly network: { readonly insidePort: number } | 'host';
  readonly guest?: Guest;
  /** In place of a guest: a runtime is to be started in it as a program. */
  readonly wrapped?: Furniture;
};

/** What such a runtime needs there. `files`: the host's directory with the folders of runtimes, seen at `RUNTIME_FILES`. */
export type Furniture = Guest & { readonly files: string };

export const RUNTIME_FILES = '/var/runtime/hearth';

/** What there is in a sandbox whose template is another zygote's. */
export type Guest = {
  /** Directories of the host that are seen inside at the same place, read-only. */
  readonly shown: readonly string[];
  /** Links, by their paths inside. */
  readonly links: Readonly<Record<string, string>>;
};

/** Host -> another zygote, with [the template's connection to its keeper, output]: a template is to enter the sandbox of that keeper. */
export type EnterMessage = {
  /** As in `BlankMessage`. */
  readonly uid: number;
};

/** Keeper -> template that is to come, with a descriptor of the keeper's process: it may enter. It says `joined` when it is in. */
export type AdmitMessage = {
  /** Of setns(2): which of the keeper's namespaces it enters. */
  readonly namespaces: number;
};

/** What the keeper passes on to the template; it adds [user namespace, mount namespace] to the descriptors of `fork` and `serve`. */
type TemplateOrder =
  /**
   * With [boot channel, ...doors], so many doors, and perhaps V8's compile cache of this version: this is the function. A door is the way into a
   * control group. Where there are extensions what they write to comes second.
   */
  | ({ readonly do: 'init'; readonly doors: number } & FunctionMessage)
  /** With [instance channel, perhaps a way for events, ...doors], so many doors: fork instance `id`. */
  | { readonly do: 'fork'; readonly id: number; readonly doors: number }
  /** With [instance channel]: the template itself becomes an instance. `evented`: its event loop runs between invocations too. */
  | { readonly do: 'serve'; readonly id: typeof SERVES; readonly evented: boolean };

/** Host -> keeper, over the control socket. */
export type KeeperMessage =
  | TemplateOrder
  /** Stop all processes of the sandbox but the keeper (true), or let them go on. */
  | { readonly do: 'freeze'; readonly frozen: boolean }
  /** All extensions have registered: the template goes on. */
  | { readonly do: 'start' }
  /** A signal for the template, which serves. */
  | { readonly do: 'signal'; readonly signal: number }
  /** Connect to a port of the sandbox's own 127.0.0.1; `connected` follows. */
  | { readonly do: 'connect'; readonly id: number; readonly port: number }
  /** End instance `id` and its process group, or collect it where it has ended by itself; `instanceEnded`, or `templateEnded`, follows. */
  | { readonly do: 'end'; readonly id: number };

/** Keeper -> template. */
export type TemplateMessage =
  | TemplateOrder
  /** The code that `init` named is there. */
  | { readonly do: 'shown' }
  /** Where there are extensions: they are ready for the runtime. */
  | { readonly do: 'start' }
  /** `pid` is dying: wait for it. */
  | { readonly do: 'reap'; readonly pid: number };

/**
 * How a template comes by its function: `node`, it loads a module; `program`, it becomes an executable; `wasm`, it compiles one;
 * `guest`, it is another zygote's, and knows.
 */
export type Loader = 'node' | 'program' | 'wasm' | 'guest';

export type FunctionMessage = {
  readonly loader: Loader;
  /** Relative to `BlankMessage.packages`. */
  readonly code: string;
  /** `code` is the root of a container image, and this is how it is started. */
  readonly image?: ImageStart;
  /** With `program`: what is executed in place of `bootstrap`. It starts a runtime, which finds its channel as descriptor 3. */
  readonly command?: readonly string[];
  readonly layers: readonly string[];
  readonly handler: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly memoryMiB: number;
  readonly tmpMiB: number;
  readonly concurrency: number;
  /** Whether the host keeps a compile cache for this version. */
  readonly compileCache: boolean;
  /** Listened at inside for the host, which gets their sockets in this order. */
  readonly listeners: readonly Listener[];
  /** Files in /opt/extensions: processes of their own, which begin before the function does. */
  readonly extensions: readonly string[];
  /** Whether the host may ask for connections to what listens inside. */
  readonly reached: boolean;
  /** Processes and threads of all instances together; absent where control groups count them for each. */
  readonly processes?: number;
  /** What a process may have reserved beyond the memory: control groups count what is in use. */
  readonly reservedMiB: number;
};

/** `command`: a program by its path or, without a slash, by its name in PATH, and its arguments. */
export type ImageStart = { readonly command: readonly string[]; readonly workingDirectory: string };

/** `name`: leads there inside. */
export type Listener = { readonly address: string; readonly port: number; readonly name?: string };

/** Records, upwards. `status` is a wait status as waitpid(2) gives it. */
export const RECORD = {
  /** To the host: a = the keeper's pid as the host sees it. What listens inside is in the doorway by then. */
  born: 1,
  /** Instance -> keeper: a = its id. The kernel adds its pid. */
  hello: 2,
  /** Template -> keeper: a = pid, b = status, or NEVER_BEGAN. */
  reaped: 3,
  /** Keeper -> host: a = instance id, b = status, or NEVER_BEGAN. */
  instanceEnded: 4,
  /** Keeper -> host: a = status. */
  templateEnded: 5,
  /** Template -> keeper: init is done, and what it left in /tmp is complete. */
  initialised: 7,
  /** Keeper -> host: the sockets of all listeners are in the doorway. */
  listening: 8,
  /** Zygote -> host: it takes orders. */
  ready: 6,
  /** Template -> keeper: a = the id of an instance for which the kernel had no room. */
  notForked: 9,
  /** Extension -> keeper, before it begins: a = its place in the list. The kernel adds its pid. */
  extension: 11,
  /** The same process, or the template in its place -> keeper: it could not begin. */
  extensionNotBegun: 12,
  /** Keeper -> host: a = place, b = status, or NEVER_BEGAN. */
  extensionEnded: 13,
  /** Keeper -> host: a = id, b = 0: the socket is in the doorway, else why not (errno). */
  connected: 14,
  /** Template that has come from elsewhere -> keeper: it is in. The kernel adds its pid. */
  joined: 10,
  /** Template -> keeper: it needs nothing of the root any more, and an image may take its place. */
  prepared: 15,
} as const;

/** The id of a template that serves. */
export const SERVES = 0;

/** In place of a status: the template could not fork that instance, or was gone before it had; or nobody knows how it has ended. */
export const NEVER_BEGAN = 0xffff_ffff;
