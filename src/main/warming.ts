/** What the warming policy has learnt of functions, from one run of the host to the next. */
import type { FunctionEntry, Functions, FunctionVersion } from '../control/mod.ts';
import type { Deployment, Engine, WarmingState } from '../engine/mod.ts';
import type { Clock, Log, Timer } from '../kernel/mod.ts';
import { createPolicy, DEFAULT_KEEP_MS, DEFAULT_PRICE_MIB_SECONDS } from '../policy/mod.ts';
import type { PolicyName, PolicyOptions, WarmingPolicy } from '../policy/mod.ts';
import type { Store, StoredRecord, Write } from '../ports/mod.ts';
import type { WarmingReport } from '../protocol/mod.ts';

export type WarmingSettings = { readonly policy: PolicyName; readonly options: PolicyOptions; readonly speed: number };

/** The policy, and how to tell what a simulator needs to take the decisions that it takes. */
export function openWarming({ policy: name, options, speed }: WarmingSettings): {
  readonly policy: WarmingPolicy;
  readonly speed: number;
  readonly report: (shared: Uint8Array | undefined) => WarmingReport;
} {
  const { keepMs = DEFAULT_KEEP_MS, priceMiBSeconds = DEFAULT_PRICE_MIB_SECONDS } = options;
  const report = (shared: Uint8Array = new Uint8Array()) => ({ policy: name, speed, keepMs, priceMiBSeconds, shared: textOf(shared) });
  return { policy: createPolicy(name, options), speed, report };
}

/** Each version by its label, as base64. */
const FUNCTIONS = 'warming/functions/';
const SHARED = 'warming/shared';
/** So much of it a crash may lose. */
const SAVED_EVERY_MS = 60_000;
const PAGE = 1_000;
const WRITES_AT_ONCE = 200;

export async function loadWarming(store: Store): Promise<WarmingState> {
  const functions = new Map<string, Uint8Array>();
  let page: readonly StoredRecord<unknown>[];
  let after: string | undefined;
  do {
    page = await store.list<unknown>(FUNCTIONS, { limit: PAGE, ...(after !== undefined && { after }) });
    for (const { key, value } of page) functions.set(key.slice(FUNCTIONS.length), bytesOf(value));
    after = page.at(-1)?.key;
  } while (page.length === PAGE);
  const shared = await store.get<unknown>(SHARED);
  return { functions, ...(shared && { shared: bytesOf(shared.value) }) };
}

export type KeepWarmingOptions = {
  /** Undefined: nothing is saved. */
  readonly store: Store | undefined;
  readonly engine: Pick<Engine, 'takeWarmingChanges' | 'forget' | 'resume'>;
  readonly functions: Pick<Functions, 'table' | 'onChange'>;
  readonly deploymentOf: (entry: FunctionEntry, version: FunctionVersion) => Deployment;
  readonly clock: Clock;
  readonly log: Log;
};

/** Has what is expected loaded, and saves what is learnt. Returns how to stop, which saves the rest. */
export function keepWarming({ store, engine, functions, deploymentOf, clock, log }: KeepWarmingOptions): () => Promise<void> {
  let saving: Promise<void> = Promise.resolve();
  let timer: Timer | undefined;

  // What is forgotten must not come back with what was learnt before.
  const write = (writes: () => readonly Write[]) => {
    saving = saving.then(() => commit(store, writes(), log));
    return saving;
  };
  const save = () => write(() => writesOf(engine.takeWarmingChanges()));
  const saveLater = () => {
    timer = clock.after(SAVED_EVERY_MS, () => {
      void save();
      saveLater();
    });
  };

  for (const entry of functions.table.byName.values()) {
    for (const version of entry.versions.values()) {
      if (version.code.kind !== 'ready' || version.record.settings.lockedEnvironment !== undefined) continue;
      engine.resume(deploymentOf(entry, version));
    }
  }
  saveLater();
  const stop = functions.onChange(({ name, entry }) => {
    if (entry) return;
    void write(() => engine.forget(name).map((label) => ({ kind: 'delete', key: FUNCTIONS + label })));
  });
  return async () => {
    stop();
    timer?.cancel();
    await save();
  };
}

const bytesOf = (value: unknown): Uint8Array => Buffer.from(typeof value === 'string' ? value : '', 'base64');
const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

function writesOf(state: WarmingState | undefined): readonly Write[] {
  if (!state || state.functions.size === 0) return [];
  const writes: Write[] = [...state.functions].map(([label, bytes]) => ({ kind: 'put', key: FUNCTIONS + label, value: textOf(bytes) }));
  if (state.shared) writes.push({ kind: 'put', key: SHARED, value: textOf(state.shared) });
  return writes;
}

/** Nothing that was promised hangs on it: what could not be written is learnt again. */
async function commit(store: Store | undefined, writes: readonly Write[], log: Log): Promise<void> {
  if (!store) return;
  try {
    for (let at = 0; at < writes.length; at += WRITES_AT_ONCE) await store.commit(writes.slice(at, at + WRITES_AT_ONCE));
  } catch (error) {
    log.warn({ error }, 'what was learnt of functions could not be saved');
  }
}
