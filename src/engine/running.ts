import { ExpiringFifo } from '../kernel/mod.ts';
import type { Exit } from '../ports/mod.ts';
import type { Host } from './host.ts';
import type { Member } from './member.ts';
import type { Pool } from './pool.ts';
import type { Run } from './run.ts';
import type { Share } from './shares.ts';

/** The invocations of a pool that run: by their deadlines, and as they count under the share of their function. Each step takes constant time. */
export class Running {
  size = 0;
  readonly #pool: Pool;
  readonly #host: Host;
  readonly #deadlines: ExpiringFifo<Run>;
  #share: Share;

  constructor(pool: Pool, host: Host) {
    const { functionName, timeoutMs } = pool.deployment;
    this.#pool = pool;
    this.#host = host;
    this.#share = host.shares.of(functionName);
    this.#deadlines = new ExpiringFifo({ clock: host.clock, ttlMs: timeoutMs, expire: (run) => run.timeOut() });
  }

  get share(): Share {
    return this.#share;
  }

  began(run: Run, nowMs: number): void {
    this.#host.began();
    this.#share.running++;
    this.size++;
    this.#deadlines.add(run, nowMs);
  }

  /** It has ended, or had not begun. */
  left(run: Run): void {
    this.#deadlines.remove(run);
    this.#host.running--;
    this.#share.running--;
    this.size--;
  }

  /** What runs does so under another share from now on, and who waited for the one waits for the other. */
  moveTo(share: Share): void {
    const { turn } = this.#pool;
    if (turn.isIn(this.#share.turns)) turn.join(share.turns);
    this.#share.running -= this.size;
    share.running += this.size;
    this.#share = share;
  }

  /** The process is gone. The driver has ended its invocations; if it hasn't, they must not hang. */
  lost(member: Member, exit: Exit): void {
    for (let run = this.#deadlines.first; run;) {
      const { next } = run;
      if (run.member === member) run.end({ kind: 'died', exit });
      run = next;
    }
  }

  cutOff(): void {
    for (let run = this.#deadlines.first; run; run = this.#deadlines.first) run.cutOff();
  }

  stop(): void {
    this.#deadlines.stop();
  }
}
