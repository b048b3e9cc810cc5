import type { Timer } from '../kernel/mod.ts';
import { bootsAtOnce, calm, CAPACITY_CLASSES, PRESSED_PERCENT, shed } from '../policy/mod.ts';
import type { CapacityClass, ShedState, Waiting } from '../policy/mod.ts';
import type { Claim } from './claim.ts';
import type { Host } from './host.ts';
import type { Pool } from './pool.ts';

/** As long as somebody waits, while something runs, and at rest. */
const WAITING_EVERY_MS = 250;
const RUNNING_EVERY_MS = 2_000;
const RESTING_EVERY_MS = 30_000;
/** Deployments whose memory is measured at each look, which takes some 0.1 ms for each. */
const MEASURED_AT_ONCE = 8;
/** Somebody has waited for memory for so much of the time, percent. */
const SHORT_OF_MEMORY = 10;

/**
 * Looks after what no call by itself would notice: that what runs has grown, so that others have to go, that there is room again, and that
 * those who wait do so for too long. Rests as long as there is no template and nobody waits.
 */
export class Watch {
  readonly #host: Host;
  #timer: Timer | undefined;
  #everyMs = Infinity;
  #shedding: ShedState;
  #begun = 0;
  /** Deployments that are still to be measured in this round. */
  #toMeasure: Iterator<Pool> = [].values();
  /** Refused for overload since the host began. */
  shedTotal = 0;

  constructor(host: Host) {
    this.#host = host;
    this.#shedding = calm(host.clock.monotonicMs());
  }

  get shedding(): boolean {
    return this.#shedding.shedding;
  }

  /** There is something to look after; `waiting`: somebody waits. */
  wake(waiting: boolean): void {
    this.#lookAfter(waiting ? WAITING_EVERY_MS : RUNNING_EVERY_MS);
  }

  #lookAfter(everyMs: number): void {
    if (everyMs >= this.#everyMs) return;
    this.#timer?.cancel();
    this.#everyMs = everyMs;
    this.#timer = this.#host.clock.after(everyMs, () => this.#look());
  }

  stop(): void {
    this.#timer?.cancel();
    this.#everyMs = 0;
  }

  #look(): void {
    this.#everyMs = Infinity;
    const { room } = this.#host;
    this.#measure();
    room.relieve();
    this.#host.letGoAll();
    this.#shed();
    if (this.#host.waiting > 0 || this.shedding) this.#lookAfter(WAITING_EVERY_MS);
    else if (this.#host.running > 0) this.#lookAfter(RUNNING_EVERY_MS);
    else if (room.committedMiB > 0) this.#lookAfter(RESTING_EVERY_MS);
  }

  #measure(): void {
    for (let left = MEASURED_AT_ONCE; left > 0; left--) {
      const next: IteratorResult<Pool, unknown> = this.#toMeasure.next();
      if (next.done === true) {
        this.#toMeasure = this.#host.pools.values();
        return;
      }
      next.value.claim.measure();
    }
  }

  #shed(): void {
    const host = this.#host;
    const nowMs = host.clock.monotonicMs();
    const claims = [...host.pools.values()].map(({ claim }) => claim).filter(({ waiting }) => waiting > 0);
    const begun = host.begun - this.#begun;
    this.#begun = host.begun;
    const look = {
      waiting: waitingIn(claims),
      longestMs: nowMs - claims.reduce((first, { oldestMs }) => Math.min(first, oldestMs), nowMs),
      begun,
      running: host.running,
      atOnce: bootsAtOnce(host.limits.processors, undefined),
      pressed: this.#pressed(),
    };
    const { state, refuse } = shed(this.#shedding, look, nowMs, host.limits.shedding);
    if (state.shedding !== this.#shedding.shedding) this.#tell(state.shedding, look.waiting);
    this.#shedding = state;
    for (const capacityClass of CAPACITY_CLASSES) this.#refuse(claims, capacityClass, refuse[capacityClass]);
  }

  #pressed(): boolean {
    const { machine, room } = this.#host;
    const pressure = machine?.look().pressure;
    return (pressure?.cpu ?? 0) >= PRESSED_PERCENT || (pressure?.memory ?? 0) >= SHORT_OF_MEMORY || room.availableMiB < room.floorMiB;
  }

  /** The newest of all functions of the class first. */
  #refuse(claims: readonly Claim[], capacityClass: CapacityClass, count: number): void {
    const ofClass = claims.filter((claim) => claim.capacityClass === capacityClass);
    for (let left = count; left > 0; left--) {
      ofClass.reduce((newest, claim) => (claim.newestMs > newest.newestMs ? claim : newest)).shedNewest();
      this.shedTotal++;
    }
  }

  #tell(begins: boolean, waiting: Waiting): void {
    if (begins)
      this.#host.platformLog.warn({ waiting }, 'more is asked for than this machine can do: some who wait are refused, spot first');
    else this.#host.platformLog.info({ refused: this.shedTotal }, 'the overload is over');
  }
}

function waitingIn(claims: readonly Claim[]): Waiting {
  const counts: Record<CapacityClass, number> = { reserved: 0, standard: 0, spot: 0 };
  for (const { capacityClass, waiting } of claims) counts[capacityClass] += waiting;
  return counts;
}
