/**
 * Where init opened what it has left open. While init runs each timer, handle and request that Node makes, and each file that is opened, is
 * remembered with the stack at that moment, which is written out only for those that turn out to block a snapshot. Promises are not looked at,
 * and after init nothing of this is left.
 */
import { createHook, executionAsyncId } from 'node:async_hooks';
import { uncurry } from '../ladder/uncurry.ts';
import { stackLines } from './errors.ts';

type Stack = { readonly stack?: unknown };
/** What Node made, under the name of its type in node:async_hooks. */
export type Opening = {
  readonly id: number;
  readonly trigger: number;
  readonly type: string;
  readonly resource: object;
  readonly at: Stack;
};

/** A stack costs some ten microseconds: an init that opens more than so many things learns the places of the first ones. */
const MOST = 1_000;
/** Node's own frames come first, up to twenty of them for a connection. */
const FRAMES = 40;
/** Made in masses, never in the way of a fork, and only now and then on the way to what is. */
const MOST_PASSING = 200;
const PASSING = new Set(['TickObject', 'Immediate', 'Microtask']);

const { captureStackTrace } = Error;
const { apply } = Reflect;
const { assign } = Object;
const then = uncurry<Promise<unknown>, [(value: unknown) => void, () => void], Promise<void>>(Promise.prototype.then);
const NativeError = Error;
const isPassing = Set.prototype.has.bind(PASSING);

const hook = createHook({ init: opened, trackPromises: false });
const openings: Opening[] = [];
/** By descriptor. */
let files: Opening[] = [];
let captured = 0;
let passed = 0;
let capturing = false;

/** From now on; once per init. */
export function watchOpenings(): void {
  captured = passed = 0;
  files = [];
  hook.enable();
  watchFiles();
}

export function stopWatchingOpenings(): void {
  hook.disable();
  letFiles();
}

/** What was watched is not needed any more. */
export function forgetOpenings(): void {
  openings.length = 0;
  files = [];
}

/** The first one that fits and is not in `taken`. */
export function findOpening(taken: readonly (Opening | undefined)[], fits: (opening: Opening) => boolean): Opening | undefined {
  for (let i = 0; i < openings.length; i++) {
    const found = openings[i]!;
    if (!taken.includes(found) && fits(found)) return found;
  }
  return undefined;
}

/** `file:line:column`, below `root` where it lies there; undefined: not known. What was opened in Node's own callbacks has the place of what they were for. */
export function placeOf(opening: Opening | undefined, root: string): string | undefined {
  for (let at = opening, steps = 0; at && steps < FRAMES; steps++) {
    const place = placeIn(at.at, root);
    if (place !== undefined) return place;
    const { trigger } = at;
    at = findOpening([at], ({ id }) => id === trigger);
  }
  return undefined;
}

export const placeOfFile = (fd: number, root: string): string | undefined => placeOf(files[fd], root);

/** Called by Node, in the middle of anything: it must not throw. */
function opened(id: number, type: string, trigger: number, resource: object): void {
  if (capturing || captured >= MOST || (isPassing(type) && passed++ >= MOST_PASSING)) return;
  openings[openings.length] = { id, trigger, type, resource, at: capture() };
}

function capture(): Stack {
  const at = {};
  captured++;
  // What is made while this is at work is its own.
  capturing = true;
  try {
    const { stackTraceLimit } = NativeError;
    NativeError.stackTraceLimit = FRAMES;
    captureStackTrace(at, capture);
    NativeError.stackTraceLimit = stackTraceLimit;
  } catch {
    // User code has sealed the limit: what it allows is taken.
  } finally {
    capturing = false;
  }
  return at;
}

/** Node's own name for what opens files, for all of its ways; not documented, and all goes without it. */
type Open = (...parameters: unknown[]) => unknown;
type FileBinding = { open?: Open; openFileHandle?: Open };
const binding = (process as unknown as { binding?: (name: string) => FileBinding | undefined }).binding?.('fs');
const { open, openFileHandle } = binding ?? {};

function watchFiles(): void {
  if (!binding || !open || !openFileHandle) return;
  binding.open = function (this: unknown, ...parameters: unknown[]) {
    if (captured >= MOST) return apply(open, this, parameters);
    const at = fileOpening();
    const request = parameters[3] as { oncomplete?: unknown } | undefined;
    const done = request?.oncomplete;
    if (typeof done === 'function') {
      request!.oncomplete = function (this: unknown, error: unknown, fd: unknown) {
        remember(fd, at);
        return apply(done, this, [error, fd]) as unknown;
      };
    }
    const fd = apply(open, this, parameters);
    remember(fd, at);
    return fd;
  };
  binding.openFileHandle = function (this: unknown, ...parameters: unknown[]) {
    const opened = apply(openFileHandle, this, parameters);
    if (captured < MOST) {
      const at = fileOpening();
      void then(
        opened as Promise<unknown>,
        (handle) => remember((handle as { readonly fd?: unknown }).fd, at),
        () => {},
      );
    }
    return opened;
  };
}

const fileOpening = (): Opening => ({ id: NaN, trigger: executionAsyncId(), type: 'file', resource: openings, at: capture() });

function remember(fd: unknown, opening: Opening): void {
  if (typeof fd === 'number') files[fd] = opening;
}

function letFiles(): void {
  if (binding && open && openFileHandle) assign(binding, { open, openFileHandle });
}

const NODE_MODULES = '/node_modules/';

/** The innermost frame of the function's own; else of a package that it brings. */
function placeIn(at: Stack, root: string): string | undefined {
  const frames = userFrames(written(at));
  const place = frames.find((frame) => !frame.includes(NODE_MODULES)) ?? frames[0];
  if (place === undefined) return undefined;
  const shown = place.startsWith(`${root}/`) ? place.slice(root.length + 1) : place;
  const through = place === frames[0] ? undefined : packageOf(frames[0]!);
  return through === undefined ? shown : `${shown} (by ${through})`;
}

/** With source maps, as errors are. */
function written(at: Stack): string {
  const own = NativeError as { prepareStackTrace: unknown };
  const { prepareStackTrace } = own;
  try {
    // User code may have its own idea of how a stack is written.
    own.prepareStackTrace = undefined;
    const { stack } = at;
    own.prepareStackTrace = prepareStackTrace;
    return typeof stack === 'string' ? stack : '';
  } catch {
    // And may have sealed it: the place is not known.
    return '';
  }
}

const PLACE = /(?:\(|at |async )(?:file:\/\/)?(\/[^()]*:\d+:\d+)\)?$/;

const userFrames = (stack: string): string[] =>
  stackLines(stack).flatMap((line) => {
    const place = PLACE.exec(line)?.[1];
    return place === undefined ? [] : [place];
  });

function packageOf(frame: string): string | undefined {
  const at = frame.lastIndexOf(NODE_MODULES);
  return at < 0 ? undefined : /^(?:@[^/]+\/)?[^/]+/.exec(frame.slice(at + NODE_MODULES.length))?.[0];
}
