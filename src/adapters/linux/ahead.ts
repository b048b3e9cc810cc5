import { silentLog } from '../../kernel/mod.ts';
import { lastingRuntime } from '../link/mod.ts';
import { CLASSES, heapMiBOf } from './classes.ts';
import { Zygote } from './zygote.ts';

/** A zygote that needs no data directory: a start waits for it longest, so it begins first. `LinuxSandboxes.open` takes it over. */
export type Ahead = { readonly runtime: string; readonly zygote: Zygote };

/** Undefined where the runtime's files have no place that lasts: they then come with the data directory. How it goes is told by who takes it. */
export async function startAhead(): Promise<Ahead | undefined> {
  const runtime = await lastingRuntime('node');
  return runtime === undefined ? undefined : { runtime, zygote: new Zygote({ runtime, heapMiB: heapMiBOf(CLASSES[0]!), log: silentLog }) };
}
