/** What follows a change of a function: its old instances go, the new ones are made ready, and what nobody needs any more is removed. */
import type { FunctionChange, FunctionEntry, Functions, FunctionVersion } from '../control/mod.ts';
import type { Deployment, Engine } from '../engine/mod.ts';
import type { Log } from '../kernel/mod.ts';
import type { FunctionLogs } from '../ports/mod.ts';
import { deploymentIdOf } from './deployments.ts';

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

  const changed = ({ name, entry, formerCode, formerImages }: FunctionChange) => {
    const ids = [...(entry?.versions.values() ?? [])].map(({ record }) => deploymentIdOf(entry!, record));
    background('code that is in use no more could not be let go', letGo(engine.retire(name, new Set(ids)), formerCode, formerImages));
    if (!entry) {
      latest.delete(name);
      return background('the log of a deleted function could not be removed', logs.delete(name));
    }
    const deployment = prepare(entry);
    if (deployment) latest.set(name, deployment.id);
  };

  /** Ahead of the first invocation, which then needs a fork only. How init went is that invocation's business. */
  const prepare = (entry: FunctionEntry): Deployment | undefined => {
    const version = entry.versions.get('$LATEST');
    if (!version || version.code.kind !== 'ready' || version.record.settings.lockedEnvironment !== undefined) return undefined;
    const deployment = deploymentOf(entry, version);
    // Aliases, tags and URLs change nothing about what runs.
    const changes = latest.get(entry.name) !== deployment.id && deployment.maxInstances !== 0;
    if (changes) background('a deployment could not be prepared', engine.prepare(deployment));
    return deployment;
  };

  const coming = (entry: FunctionEntry) => {
    prepare(entry);
    return () => changed({ name: entry.name, entry: functions.table.byName.get(entry.name), formerCode: [], formerImages: [] });
  };

  /** What ran the old code may still be about to load some of it. */
  const letGo = async (retired: Promise<void>, hashes: readonly string[], images: readonly string[]) => {
    const releases = hashes.map((sha256) => functions.holdCode(sha256));
    const imageReleases = images.map((digest) => functions.images.hold(digest));
    await retired;
    for (const release of imageReleases) release();
    await Promise.all(releases.map((release) => release()));
  };

  const stops = [functions.onChange(changed), functions.onComing(coming)];
  background('packages that nobody needs could not be removed', functions.sweepCode());
  return async () => {
    for (const stop of stops) stop();
    await Promise.all(running);
  };
}
