import type { Start, StartKind } from '../ports/mod.ts';
import type { Deployment } from './deployment.ts';
import type { DeploymentStats } from './engine.ts';
import { WARM } from './starts.ts';

/** What a pool has counted. */
export class Tally {
  invocations = 0;
  errors = 0;
  throttles = 0;
  readonly starts: Record<StartKind, number> = { warm: 0, fork: 0, boot: 0, spawn: 0 };
  #handedAhead = 0;
  /** Without the two that are counted apart, because they are so many. */
  readonly #causes = {
    warm: new Map<string, number>(),
    fork: new Map<string, number>(),
    boot: new Map<string, number>(),
    spawn: new Map<string, number>(),
  };

  started(start: Start): void {
    if (start === WARM.idle) this.starts.warm++;
    else if (start === WARM.handedAhead) {
      this.starts.warm++;
      this.#handedAhead++;
    } else this.#count(start);
  }

  #count({ kind, cause }: Start): void {
    this.starts[kind]++;
    const causes = this.#causes[kind];
    causes.set(cause, (causes.get(cause) ?? 0) + 1);
  }

  stats({ id, functionName, version }: Deployment, counts: Pick<DeploymentStats, 'idle' | 'busy' | 'queued'>): DeploymentStats {
    const { invocations, errors, throttles, starts, causes } = this;
    return { deploymentId: id, functionName, version, ...counts, invocations, errors, throttles, starts: { ...starts }, causes };
  }

  /** How many starts of each kind had which cause. */
  get causes(): Readonly<Record<StartKind, Readonly<Record<string, number>>>> {
    const { warm, fork, boot, spawn } = this.#causes;
    const others = this.#handedAhead + [...warm.values()].reduce((sum, count) => sum + count, 0);
    const often = { [WARM.idle.cause]: this.starts.warm - others, [WARM.handedAhead.cause]: this.#handedAhead };
    const told = Object.fromEntries(Object.entries(often).filter(([, count]) => count > 0));
    return {
      warm: { ...told, ...Object.fromEntries(warm) },
      fork: Object.fromEntries(fork),
      boot: Object.fromEntries(boot),
      spawn: Object.fromEntries(spawn),
    };
  }
}
