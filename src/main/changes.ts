/** What follows a change of a function: its old instances go, the new ones are made ready, and what nobody needs any more is removed. */
import type { FunctionChange, FunctionEntry, Functions, FunctionVersion } from '../control/mod.ts';
import type { Deployment, Engine } from '../engine/mod.ts';
import type { Log } from '../kernel/mod.ts';
import type { FunctionLogs } from '../ports/mod.ts';

export type ChangesOptions = {
  readonly functions: Functions;
  readonly engine: Engine;
  readonly logs: FunctionLogs;
  readonly deploymentOf: (entry: FunctionEntry, version: FunctionVersion) => Deployment;
  readonly log: Log;
};

/** Returns how to stop, which waits for what is being done. */
export function followChanges(options: ChangesOptions): () => Promise<void> {
  const { functions, engine, logs, deploymentOf, log } = options;
  const running = new Set<Promise<void>>();
  /** The deployment of `$LATEST` as it was last seen. */
  const latest = new Map<string, string>();

  const background = (what: string, work: Promise<unknown>) => {
    const done = finish(what, work).finally(() => running.delete(done));
    running.add(done);
  };
  const finish = async (what: string, work: Promise<unknown>) => {
    try {
      await work;
    } catch (error) {
      log.error({ error }, what);
    }
  };

  const changed = ({ name, entry }: FunctionChange) => {
    if (!entry) {
      latest.delete(name);
      engine.retire(name, undefined);
      return background('the log of a deleted function could not be removed', logs.delete(name));
    }
    const version = entry.versions.get('$LATEST');
    if (!version || version.code.kind !== 'ready') return;
    const deployment = deploymentOf(entry, version);
    // Aliases, tags and URLs change nothing about what runs.
    if (latest.get(name) === deployment.id) return;
    latest.set(name, deployment.id);
    engine.retire(name, deployment.id);
    // Ahead of the first invocation, which then needs a fork only. How init went is that invocation's business.
    if (deployment.maxInstances !== 0) background('a deployment could not be prepared', engine.prepare(deployment));
  };

  const stop = functions.onChange(changed);
  return async () => {
    stop();
    await Promise.all(running);
  };
}
