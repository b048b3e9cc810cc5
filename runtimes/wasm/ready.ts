/** Whether descriptors of the system can be read or written without waiting, as the system says. */
import { native } from './native.ts';

export type Awaited = { readonly host: number; readonly writing: boolean };
/** `hungUp`: nobody writes to it, or reads from it, any more. */
export type Readiness = { readonly ready: boolean; readonly hungUp: boolean };

const POLLFD_BYTES = 8;
const POLLIN = 1;
const POLLOUT = 4;
const POLLERR = 8;
const POLLHUP = 16;

/** Waits until one of them is ready, but no longer than `ms`. Undefined: the system can't be asked. */
export function awaitReady(awaited: readonly Awaited[], ms: number): readonly Readiness[] | undefined {
  const system = native();
  if (!system) return undefined;
  const buffer = new ArrayBuffer(Math.max(4096, awaited.length * POLLFD_BYTES));
  const view = new DataView(buffer);
  awaited.forEach(({ writing, host }, i) => {
    view.setInt32(i * POLLFD_BYTES, host, true);
    view.setInt16(i * POLLFD_BYTES + 4, writing ? POLLOUT : POLLIN, true);
  });
  system.poll(system.addressOf(new Uint8Array(buffer)), BigInt(awaited.length), ms);
  return awaited.map((_, i) => {
    const events = view.getInt16(i * POLLFD_BYTES + 6, true);
    return { ready: events !== 0, hungUp: (events & (POLLERR | POLLHUP)) !== 0 };
  });
}

/** False also where the system can't be asked. */
export function wouldWait(host: number, writing: boolean): boolean {
  return awaitReady([{ host, writing }], 0)?.[0]?.ready === false;
}
