/** WASI preview 1 as a module imports it: all functions of `wasi_snapshot_preview1` over one world. */
import type { Errno } from './errno.ts';
import { ERRNO, errnoOf } from './errno.ts';
import { fdFunctions } from './wasi-fd.ts';
import { pathFunctions } from './wasi-path.ts';
import { poll } from './wasi-poll.ts';
import type { World } from './world.ts';
import { ModuleExit, ModuleSignal } from './world.ts';

export const WASI_MODULE = 'wasi_snapshot_preview1';

/** All that there are. */
export const WASI_FUNCTIONS: ReadonlySet<string> = new Set(
  [
    'args_get args_sizes_get environ_get environ_sizes_get clock_res_get clock_time_get random_get sched_yield poll_oneoff',
    'proc_exit proc_raise sock_accept sock_recv sock_send sock_shutdown',
    'fd_advise fd_allocate fd_close fd_datasync fd_fdstat_get fd_fdstat_set_flags fd_fdstat_set_rights fd_filestat_get',
    'fd_filestat_set_size fd_filestat_set_times fd_pread fd_prestat_dir_name fd_prestat_get fd_pwrite fd_read fd_readdir',
    'fd_renumber fd_seek fd_sync fd_tell fd_write',
    'path_create_directory path_filestat_get path_filestat_set_times path_link path_open path_readlink',
    'path_remove_directory path_rename path_symlink path_unlink_file',
  ].flatMap((names) => names.split(' ')),
);

const { SUCCESS } = ERRNO;
const REALTIME = 0;
const MONOTONIC = 1;
const MOST_SIGNAL = 30;
/** CHLD, CONT, URG, WINCH: what a process does with them if it does nothing. */
const IGNORED_SIGNALS = new Set([0, 16, 17, 22, 27]);

export function wasiImports(world: World): Record<string, (...args: never[]) => unknown> {
  const functions = { ...surroundings(world), ...fdFunctions(world), ...pathFunctions(world), ...sockets(world) };
  const guarded = Object.fromEntries(Object.entries(functions).map(([name, f]) => [name, guard(f)]));
  return {
    ...guarded,
    // The only ones that answer with no number.
    proc_exit(code: number) {
      // oxlint-disable-next-line only-throw-error -- it unwinds the module's stack, and nobody wants a trace of it
      throw new ModuleExit(code >>> 0);
    },
    proc_raise(signal: number) {
      if (signal >>> 0 > MOST_SIGNAL) return ERRNO.INVAL;
      if (IGNORED_SIGNALS.has(signal)) return SUCCESS;
      // oxlint-disable-next-line only-throw-error -- likewise
      throw new ModuleSignal(signal);
    },
  };
}

type WasiFunction = (...args: never[]) => Errno;

/** What it throws is what it answers. */
function guard(f: WasiFunction): WasiFunction {
  const call = f as (...args: unknown[]) => Errno;
  return (...args: unknown[]) => {
    try {
      return call(...args);
    } catch (thrown) {
      return errnoOf(thrown);
    }
  };
}

function surroundings(world: World): Record<string, WasiFunction> {
  const { memory, clock } = world;
  const sizes = (texts: readonly Uint8Array[], count: number, bytes: number): Errno => {
    memory.setU32(count, texts.length);
    memory.setU32(
      bytes,
      texts.reduce((sum, text) => sum + text.length, 0),
    );
    return SUCCESS;
  };
  const copy = (texts: readonly Uint8Array[], pointers: number, buffer: number): Errno => {
    let at = buffer >>> 0;
    texts.forEach((text, i) => {
      memory.setU32((pointers >>> 0) + 4 * i, at);
      memory.bytes(at, text.length).set(text);
      at += text.length;
    });
    return SUCCESS;
  };
  return {
    args_get: (pointers: number, buffer: number) => copy(world.arguments, pointers, buffer),
    args_sizes_get: (count: number, bytes: number) => sizes(world.arguments, count, bytes),
    environ_get: (pointers: number, buffer: number) => copy(world.environment, pointers, buffer),
    environ_sizes_get: (count: number, bytes: number) => sizes(world.environment, count, bytes),
    clock_res_get(id: number, result: number) {
      if (id !== REALTIME && id !== MONOTONIC) return ERRNO.INVAL;
      memory.setU64(result, clock.resolution);
      return SUCCESS;
    },
    clock_time_get(id: number, _precision: bigint, result: number) {
      if (id !== REALTIME && id !== MONOTONIC) return ERRNO.INVAL;
      memory.setU64(result, id === REALTIME ? clock.realtime() : clock.monotonic());
      return SUCCESS;
    },
    random_get(buffer: number, length: number) {
      const target = memory.bytes(buffer, length);
      if (target.length === 0) return SUCCESS;
      if (!world.random) {
        world.refused('random');
        return ERRNO.NOTCAPABLE;
      }
      world.random(target);
      return SUCCESS;
    },
    sched_yield: () => SUCCESS,
    poll_oneoff: (from: number, to: number, count: number, stored: number) => poll(world, from, to, count, stored),
  };
}

/** Nobody is given a socket: all that there is to say is whether a descriptor is there. */
function sockets(world: World): Record<string, WasiFunction> {
  const noSocket = (fd: number): Errno => {
    world.descriptors.get(fd);
    return ERRNO.NOTSOCK;
  };
  return { sock_accept: noSocket, sock_recv: noSocket, sock_send: noSocket, sock_shutdown: noSocket };
}
