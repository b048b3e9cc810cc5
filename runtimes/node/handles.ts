/** What Node's own objects behind timers, sockets and processes say of themselves. Their members are not documented: each may be missing. */
type Handle = {
  readonly hasRef?: () => boolean;
  readonly getpeername?: (out: Address) => number;
  readonly getsockname?: (out: Address) => number;
  readonly pid?: number;
  readonly _destroyed?: boolean;
  readonly _repeat?: number | null;
  readonly _idleTimeout?: number;
};
type Address = { address?: string; port?: number };

/** Whether it is there, and keeps the event loop going. Requests can't be asked: theirs are found by what the event loop counts. */
export function isInUse(resource: object): boolean {
  const handle = resource as Handle;
  if (handle._destroyed === true) return false;
  return typeof handle.hasRef !== 'function' || handle.hasRef();
}

/** In a few words; undefined: nothing more than its type is known. */
export function describeHandle(type: string, resource: object): string | undefined {
  const handle = resource as Handle;
  switch (type) {
    case 'Timeout':
      return typeof handle._repeat === 'number' ? `every ${handle._repeat} ms` : `after ${handle._idleTimeout} ms`;
    case 'TCPWRAP':
      return addressed('TCP to ', handle.getpeername?.bind(handle)) ?? 'TCP, not connected';
    case 'TCPSERVERWRAP':
      return addressed('TCP, listens on ', handle.getsockname?.bind(handle));
    case 'UDPWRAP':
      return addressed('UDP on ', handle.getsockname?.bind(handle));
    case 'PIPEWRAP':
    case 'PIPESERVERWRAP':
      return 'a pipe or a Unix socket';
    case 'FILEHANDLE':
    case 'TTYWRAP':
    case 'PROCESSWRAP':
    case 'WORKER':
      return undefined;
    case 'FSEVENTWRAP':
      return 'fs.watch';
    case 'STATWATCHER':
      return 'fs.watchFile';
    case 'FSREQPROMISE':
    case 'FSREQCALLBACK':
      return 'a file is read or written';
    case 'GETADDRINFOREQWRAP':
    case 'QUERYWRAP':
      return 'a name is looked up';
    case 'TCPCONNECTWRAP':
      return 'a connection is being made';
    default:
      return type;
  }
}

function addressed(what: string, ask: ((out: Address) => number) | undefined): string | undefined {
  const out: Address = {};
  return ask?.(out) === 0 && out.address !== undefined ? `${what}${out.address}:${out.port}` : undefined;
}
