import type { Fleet } from './fleet.ts';
import type { Member } from './member.ts';
import type { OutsideLog } from './outside-log.ts';
import { aheadStart } from './starts.ts';
import type { AheadCause } from './starts.ts';
import type { Tally } from './tally.ts';

/** Instances that are made although no invocation waits for one: they are counted and recorded as all starts are. */
export class Unasked {
  readonly #parts: { readonly fleet: Fleet; readonly tally: Tally; readonly outsideLog: OutsideLog };

  constructor(parts: { readonly fleet: Fleet; readonly tally: Tally; readonly outsideLog: OutsideLog }) {
    this.#parts = parts;
  }

  /** The template must be ready. Undefined: the driver has refused. */
  fork(nowMs: number, cause: AheadCause): Member | undefined {
    const { fleet, tally, outsideLog } = this.#parts;
    const member = fleet.forkAhead(nowMs);
    if (!member) return undefined;
    const start = aheadStart(member.instance.start, cause);
    tally.started(start);
    outsideLog.ahead(start, member.instance.takeSteps(), nowMs);
    return member;
  }
}
