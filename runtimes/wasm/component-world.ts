/**
 * WASI 0.2 as a component imports it: all its interfaces, over what one instance is given. What is not granted is refused when it is used:
 * with the error that the interface has for it, or with a trap where it has none.
 */
import { httpInterfaces } from './component-http.ts';
import { Absent, InputStream, IoError, OutputStream, poll, Pollable, Refusal } from './component-streams.ts';
import { ModuleError } from './errors.ts';
import type { Clock } from './world.ts';
import { ModuleExit } from './world.ts';

export type ComponentWorld = {
  readonly arguments: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly clock: Clock;
  readonly random: ((target: Uint8Array) => void) | undefined;
  readonly refused: (what: string) => void;
  readonly stdin: () => Uint8Array;
  readonly stdout: (bytes: Uint8Array) => void;
  readonly stderr: (bytes: Uint8Array) => void;
  /** So much of an answer was written; throws when it is too much. */
  readonly answered: (bytes: number) => void;
};

export type Interfaces = Readonly<Record<string, object>>;

/** By the names that the translated code asks for. */
export function componentImports(world: ComponentWorld): Interfaces {
  return {
    'wasi:io/error': { Error: IoError },
    'wasi:io/poll': { Pollable, poll },
    'wasi:io/streams': { InputStream, OutputStream },
    ...httpInterfaces(world.answered, world.refused),
    ...cli(world),
    ...clocks(world.clock),
    ...random(world),
    ...nothing(world.refused),
  };
}

function cli(world: ComponentWorld): Interfaces {
  return {
    'wasi:cli/environment': {
      getEnvironment: () => Object.entries(world.environment),
      getArguments: () => world.arguments,
      initialCwd: () => undefined,
    },
    'wasi:cli/exit': {
      exit: ({ tag }: { readonly tag: 'ok' | 'err' }) => exit(tag === 'ok' ? 0 : 1),
      exitWithCode: exit,
    },
    'wasi:cli/stdin': { getStdin: () => new InputStream(world.stdin()) },
    'wasi:cli/stdout': { getStdout: () => new OutputStream(world.stdout) },
    'wasi:cli/stderr': { getStderr: () => new OutputStream(world.stderr) },
    'wasi:cli/terminal-input': { TerminalInput: Absent },
    'wasi:cli/terminal-output': { TerminalOutput: Absent },
    'wasi:cli/terminal-stdin': { getTerminalStdin: () => undefined },
    'wasi:cli/terminal-stdout': { getTerminalStdout: () => undefined },
    'wasi:cli/terminal-stderr': { getTerminalStderr: () => undefined },
  };
}

function exit(code: number): never {
  // oxlint-disable-next-line only-throw-error -- it unwinds the component's stack, and nobody wants a trace of it
  throw new ModuleExit(code);
}

const NS_PER_SECOND = 1_000_000_000n;
const MAX_U64 = 2n ** 64n - 1n;

function clocks({ realtime, monotonic, resolution }: Clock): Interfaces {
  const datetime = (ns: bigint) => ({ seconds: ns / NS_PER_SECOND, nanoseconds: Number(ns % NS_PER_SECOND) });
  const after = (ns: bigint) => new Pollable(ns === 0n ? 0n : process.hrtime.bigint() + ns);
  return {
    'wasi:clocks/wall-clock': { now: () => datetime(realtime()), resolution: () => datetime(resolution) },
    'wasi:clocks/monotonic-clock': {
      now: () => monotonic() & MAX_U64,
      resolution: () => resolution,
      subscribeDuration: after,
      subscribeInstant: (at: bigint) => {
        const now = monotonic();
        return after(at > now ? at - now : 0n);
      },
    },
  };
}

/** At once: what is asked for more often than that is asked for again. */
const MOST_RANDOM_BYTES = 1024 * 1024;

function random({ random: fill, refused }: ComponentWorld): Interfaces {
  const bytes = (length: bigint): Uint8Array => {
    if (!fill) {
      refused('random');
      throw new ModuleError('Wasm.NotGranted', 'The component asked for random numbers, which it is not granted', '');
    }
    if (length > BigInt(MOST_RANDOM_BYTES))
      throw new ModuleError('Wasm.NotGranted', `The component asked for ${length} random bytes; ${MOST_RANDOM_BYTES} is the most`, '');
    const target = new Uint8Array(Number(length));
    fill(target);
    return target;
  };
  const u64 = (): bigint => Buffer.from(bytes(8n).buffer).readBigUInt64LE();
  return {
    'wasi:random/random': { getRandomBytes: bytes, getRandomU64: u64 },
    'wasi:random/insecure': { getInsecureRandomBytes: bytes, getInsecureRandomU64: u64 },
    // It need not be one: what hash tables begin with.
    'wasi:random/insecure-seed': { insecureSeed: () => (fill ? [u64(), u64()] : [0n, 0n]) },
  };
}

/** Interfaces that libraries import and that reach nothing here: there are no directories to begin in, and no sockets. */
function nothing(refused: (what: string) => void): Interfaces {
  const refuse = (payload: unknown) => (): never => {
    refused('the network');
    throw new Refusal(payload);
  };
  return {
    'wasi:filesystem/preopens': { getDirectories: () => [] },
    'wasi:filesystem/types': { Descriptor: Absent, DirectoryEntryStream: Absent, filesystemErrorCode: () => undefined },
    'wasi:sockets/instance-network': { instanceNetwork: () => new Absent() },
    'wasi:sockets/network': { Network: Absent, networkErrorCode: () => undefined },
    'wasi:sockets/tcp': { TcpSocket: Absent },
    'wasi:sockets/udp': { UdpSocket: Absent, IncomingDatagramStream: Absent, OutgoingDatagramStream: Absent },
    'wasi:sockets/tcp-create-socket': { createTcpSocket: refuse('access-denied') },
    'wasi:sockets/udp-create-socket': { createUdpSocket: refuse('access-denied') },
    'wasi:sockets/ip-name-lookup': { ResolveAddressStream: Absent, resolveAddresses: refuse('access-denied') },
  };
}
