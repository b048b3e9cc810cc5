import type { Exit } from '../ports/mod.ts';
import type { LogLevel } from '../protocol/mod.ts';
import type { Deployment } from './deployment.ts';
import type { Host } from './host.ts';
import { Member } from './member.ts';
import { Members } from './members.ts';
import type { Run } from './run.ts';
import type { TemplateSlot } from './template-slot.ts';

export type FleetOptions = {
  readonly deployment: Deployment;
  readonly host: Host;
  readonly template: TemplateSlot;
  /** A line that is not an invocation's; `run`: unless it is this one's. */
  readonly log: (text: string, level: LogLevel, run: Run | undefined) => void;
  /** Its process is gone. The member has been given up already, or is now. */
  readonly closed: (member: Member, exit: Exit) => void;
};

/** The instances of one deployment, from fork to end. Every step takes constant time. */
export class Fleet {
  readonly #options: FleetOptions;
  readonly #members: Members;

  constructor(options: FleetOptions) {
    this.#options = options;
    const { deployment, host } = options;
    this.#members = new Members({
      clock: host.clock,
      keepAliveMs: host.limits.keepAliveMs,
      concurrency: deployment.spec.concurrency,
      expire: (member) => this.dismiss(member),
    });
  }

  get size(): number {
    return this.#members.size;
  }

  get idle(): number {
    return this.#members.idle;
  }

  get available(): number {
    return this.#members.available;
  }

  /** Whether one that is at work can take more. */
  get spare(): boolean {
    return this.#members.available > this.#members.idle;
  }

  get longestIdle(): Member | undefined {
    return this.#members.longestIdle;
  }

  /** Takes instances from the top that are about to end, so that the next one to be used is one that can be. */
  dropDead(): void {
    for (let top = this.#members.next; top && !top.instance.alive; top = this.#members.next) this.dismiss(top);
  }

  /** The instance to use next; only where one is available. */
  warm(): Member {
    return this.#members.next!;
  }

  /** A new instance of the template, which must be ready; undefined: the driver has refused. */
  fork(nowMs: number): Member | undefined {
    const { deployment, host, template, log, closed } = this.#options;
    host.makeRoomForInstance();
    let member: Member;
    try {
      member = new Member(template.template!.fork(), nowMs);
    } catch (error) {
      host.platformLog.error({ error, function: deployment.spec.label }, 'an instance could not be forked');
      return undefined;
    }
    const { instance } = member;
    this.#members.add(member);
    host.instances++;
    template.use();
    instance.onLog = (text, level) => log(text, level, deployment.spec.concurrency === 1 ? member.latest : undefined);
    void instance.closed.then((exit) => closed(member, exit));
    return member;
  }

  /** `run` is about to begin on `member`. */
  took(member: Member, run: Run): void {
    this.#members.took(member);
    member.latest = run;
  }

  /** `run` has ended on `member`, which isn't free before `free` says so. */
  left(member: Member, run: Run): void {
    member.running--;
    if (member.latest === run) member.latest = undefined;
  }

  free(member: Member, nowMs: number): void {
    this.#members.free(member, nowMs);
  }

  /** Gives an instance up. Nothing is to run on it any more; what still does ends as `died`. */
  dismiss(member: Member): void {
    if (!member.alive) return;
    member.alive = false;
    this.#members.remove(member);
    this.#options.host.instances--;
    if (this.#members.size === 0) this.#options.template.rest();
    member.instance.kill();
  }

  /** Gives all of them up. Resolves when each is gone. */
  close(): Promise<unknown> {
    const ends = [...this.#members].map((member) => member.instance.closed);
    for (const member of this.#members) this.dismiss(member);
    this.#members.stop();
    return Promise.all(ends);
  }
}
