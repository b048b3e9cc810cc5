import { silentLog } from '../../kernel/mod.ts';
import { node } from '../../../runtimes/node/description.ts';
import { lastingRuntime } from '../link/mod.ts';
import { Zygote } from './zygote.ts';

/** A zygote that needs no data directory: a start waits for it longest, so it begins first. `LinuxSandboxes.open` takes it over. */
export type Ahead = { readonly zygote: Zygote };

/** Undefined where the runtime's files have no place that lasts: they then come with the data directory. How it goes is told by who takes it. */
export async function startAhead(): Promise<Ahead | undefined> {
  const files = await lastingRuntime(node);
  if (files === undefined) return undefined;
  return { zygote: new Zygote({ runtime: node, files, memoryClassMiB: node.memoryClassesMiB[0], log: silentLog }) };
}
