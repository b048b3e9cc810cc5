/** WASI preview 1: `poll_oneoff`, which waits for clocks and descriptors. */
import { fstatSync } from 'node:fs';
import { nap } from '../ladder/nap.ts';
import type { Descriptor } from './descriptors.ts';
import type { Errno } from './errno.ts';
import { ERRNO, errnoOf } from './errno.ts';
import { RIGHT } from './layouts.ts';
import { native } from './native.ts';
import { awaitReady } from './ready.ts';
import type { World } from './world.ts';

const SUBSCRIPTION_BYTES = 48;
const EVENT_BYTES = 32;
const CLOCK = 0;
const FD_READ = 1;
const FD_WRITE = 2;
const ABSOLUTE = 1;
const HANGUP = 1;
const REALTIME = 0;
const MONOTONIC = 1;
const MOST_SUBSCRIPTIONS = 4096;
const NS_PER_MS = 1_000_000n;
/** One wait of the system is no longer; a longer one is several. */
const LONGEST_WAIT_MS = 60_000;

type Event = { readonly userdata: bigint; readonly type: number; readonly errno: Errno; readonly bytes: bigint; readonly hungUp?: boolean };
type Timer = { readonly userdata: bigint; readonly dueNs: bigint };
type Waiting = { readonly userdata: bigint; readonly type: number; readonly host: number };
type Subscriptions = { readonly ready: Event[]; readonly timers: Timer[]; readonly waiting: Waiting[] };

export function poll(world: World, from: number, to: number, count: number, stored: number): Errno {
  if (count === 0 || count >>> 0 > MOST_SUBSCRIPTIONS) return ERRNO.INVAL;
  const { memory } = world;
  memory.bytes(to, (count >>> 0) * EVENT_BYTES);
  const subscriptions = read(world, from, count);
  if (!subscriptions) return ERRNO.INVAL;
  const events = wait(subscriptions);
  events.forEach((event, i) => {
    const at = (to >>> 0) + i * EVENT_BYTES;
    memory.bytes(at, EVENT_BYTES).fill(0);
    memory.setU64(at, event.userdata);
    memory.view.setUint16(at + 8, event.errno, true);
    memory.view.setUint8(at + 10, event.type);
    memory.setU64(at + 16, event.bytes);
    memory.view.setUint16(at + 24, event.hungUp ? HANGUP : 0, true);
  });
  memory.setU32(stored, events.length);
  return ERRNO.SUCCESS;
}

/** Undefined: one of them is of no known kind. */
function read(world: World, from: number, count: number): Subscriptions | undefined {
  const { memory } = world;
  const result: Subscriptions = { ready: [], timers: [], waiting: [] };
  const startNs = process.hrtime.bigint();
  for (let i = 0; i < count; i++) {
    const at = (from >>> 0) + i * SUBSCRIPTION_BYTES;
    const userdata = memory.view.getBigUint64(at, true);
    const type = memory.view.getUint8(at + 8);
    if (type === CLOCK) {
      const clock = memory.u32(at + 16);
      const timeout = memory.view.getBigUint64(at + 24, true);
      const flags = memory.view.getUint16(at + 40, true);
      if (clock !== REALTIME && clock !== MONOTONIC) result.ready.push({ userdata, type, errno: ERRNO.INVAL, bytes: 0n });
      else {
        const now = (flags & ABSOLUTE) === 0 ? 0n : clock === REALTIME ? world.clock.realtime() : world.clock.monotonic();
        result.timers.push({ userdata, dueNs: startNs + (timeout > now ? timeout - now : 0n) });
      }
    } else if (type === FD_READ || type === FD_WRITE)
      addDescriptor(result, { userdata, type }, () => world.descriptors.get(memory.u32(at + 16)));
    else return undefined;
  }
  return result;
}

function addDescriptor(
  { ready, waiting }: Subscriptions,
  { userdata, type }: Pick<Waiting, 'userdata' | 'type'>,
  get: () => Descriptor,
): void {
  let descriptor: Descriptor;
  try {
    descriptor = get();
  } catch (error) {
    ready.push({ userdata, type, errno: errnoOf(error), bytes: 0n });
    return;
  }
  const needed = type === FD_READ ? RIGHT.fdRead : RIGHT.fdWrite;
  if ((descriptor.rights & RIGHT.pollFdReadwrite) === 0 && (descriptor.rights & needed) === 0) {
    ready.push({ userdata, type, errno: ERRNO.NOTCAPABLE, bytes: 0n });
    return;
  }
  const host = descriptor.kind === 'stream' ? descriptor.stream.host : undefined;
  if (host !== undefined && native()) waiting.push({ userdata, type, host });
  else {
    const available = type === FD_READ ? availableOf(descriptor) : 0;
    ready.push({ userdata, type, errno: ERRNO.SUCCESS, bytes: BigInt(available) });
  }
}

/** How many bytes can be read, as far as that is known. */
function availableOf(descriptor: Descriptor): number {
  switch (descriptor.kind) {
    case 'directory':
      return 0;
    case 'stream':
      return descriptor.stream.available?.() ?? 0;
    case 'file':
      return Math.max(0, fstatSync(descriptor.host).size - descriptor.position);
  }
}

/** At least one event: what is ready now, or the first that becomes so. */
function wait({ ready, timers, waiting }: Subscriptions): readonly Event[] {
  for (;;) {
    const nowNs = process.hrtime.bigint();
    const due = timers.filter(({ dueNs }) => dueNs <= nowNs);
    const next = timers.reduce<bigint | undefined>((least, { dueNs }) => (least === undefined || dueNs < least ? dueNs : least), undefined);
    const waitNs = ready.length > 0 || due.length > 0 ? 0n : next === undefined ? undefined : next - nowNs;
    const ms = waitNs === undefined ? LONGEST_WAIT_MS : Math.min(LONGEST_WAIT_MS, Number((waitNs + NS_PER_MS - 1n) / NS_PER_MS));
    const woken = waiting.length > 0 ? pollSystem(waiting, ms) : [];
    if (waiting.length === 0 && ms > 0) nap(ms);
    const fired = due.map(({ userdata }): Event => ({ userdata, type: CLOCK, errno: ERRNO.SUCCESS, bytes: 0n }));
    const events = [...ready, ...woken, ...fired];
    if (events.length > 0) return events;
  }
}

/** Only where the system can be asked. */
function pollSystem(waiting: readonly Waiting[], ms: number): readonly Event[] {
  const answers = awaitReady(
    waiting.map(({ type, host }) => ({ host, writing: type === FD_WRITE })),
    ms,
  );
  return waiting.flatMap(({ userdata, type }, i) => {
    const { ready = false, hungUp = false } = answers?.[i] ?? {};
    return ready ? [{ userdata, type, errno: ERRNO.SUCCESS, bytes: 0n, hungUp }] : [];
  });
}
