import type { Need } from '../policy/mod.ts';
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
  /** One that was made ahead is through with its own init, or one was given up. */
  readonly changed: () => void;
};

/** The instances of one deployment, from fork to end. Every step takes constant time. */
export class Fleet {
  readonly #options: FleetOptions;
  readonly #members: Members;
  /** Idle ones are kept, however long they stay so, as long as there are no more than this. */
  #kept = 0;
  #held = 0;
  /** How many run an init of their own. */
  booting = 0;

  constructor(options: FleetOptions) {
    this.#options = options;
    const { deployment, host } = options;
    this.#members = new Members({
      clock: host.clock,
      keepAliveMs: host.limits.keepAliveMs,
      concurrency: deployment.spec.concurrency,
      expire: (member) => (this.size > this.#least ? this.dismiss(member) : this.#members.hold(member)),
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

  get idleSinceMs(): number | undefined {
    return this.#members.idleSinceMs;
  }

  set keepAliveMs(ttlMs: number) {
    this.#members.keepAliveMs = ttlMs;
  }

  /** Those beyond that have only been held go now. */
  keep(count: number): void {
    this.#kept = count;
    this.#dismissHeld();
  }

  /** The same, for another reason: what is more of the two counts. */
  hold(count: number): void {
    this.#held = count;
    this.#dismissHeld();
  }

  get #least(): number {
    return Math.max(this.#kept, this.#held);
  }

  #dismissHeld(): void {
    while (this.size > this.#least && this.#members.held > 0) this.dismiss(this.#members.longestIdle!);
  }

  /** Idle ones beyond `most` go. */
  reduce(most: number): void {
    while (this.size > most && this.idle > 0) this.dismiss(this.#members.longestIdle!);
  }

  /** Takes instances from the top that are about to end, so that the next one to be used is one that can be. */
  dropDead(): void {
    for (let top = this.#members.next; top && !top.instance.alive; top = this.#members.next) this.dismiss(top);
  }

  /** The instance to use next; only where one is available. */
  warm(): Member {
    return this.#members.next!;
  }

  /** A new instance of the template, which must be ready; undefined: the driver has refused. `need`: what it takes. */
  fork(nowMs: number, need: Need): Member | undefined {
    this.#options.host.room.makeFor(need);
    return this.#fork(nowMs);
  }

  /** One that nobody waits for; only where there is room. It is held. */
  forkAhead(nowMs: number): Member | undefined {
    const member = this.#fork(undefined);
    if (!member) return undefined;
    this.#members.holdNew(member, nowMs);
    const { ready } = member.instance;
    if (ready) {
      member.booting = true;
      this.booting++;
      void ready.then(() => this.#booted(member));
    }
    return member;
  }

  #booted(member: Member): void {
    if (!member.booting) return;
    member.booting = false;
    this.booting--;
    this.#options.changed();
  }

  #fork(forkedMs: number | undefined): Member | undefined {
    const { deployment, host, template, log, closed } = this.#options;
    let member: Member;
    try {
      member = new Member(template.template!.fork(), forkedMs);
    } catch (error) {
      host.platformLog.error({ error, function: deployment.spec.label }, 'an instance could not be forked');
      return undefined;
    }
    const { instance } = member;
    this.#members.add(member);
    host.room.instances++;
    template.holding.took();
    template.use();
    instance.onLog = (text, level) => log(text, level, deployment.spec.concurrency === 1 ? member.latest : undefined);
    void instance.closed.then((exit) => closed(member, exit));
    return member;
  }

  /** `run` is about to begin on `member`. */
  took(member: Member, run: Run): void {
    this.#members.took(member);
    member.latest = run;
    member.used = true;
  }

  /** `run` has ended on `member`, which isn't free before `free` says so. */
  left(member: Member, run: Run): void {
    member.running--;
    if (member.latest === run) member.latest = undefined;
  }

  free(member: Member, nowMs: number): void {
    if (member.leaving && member.running === 0) this.dismiss(member);
    else this.#members.free(member, nowMs);
  }

  /** One of its invocations may have broken it, or goes on in it beyond its time: the others that it runs come to their own ends, and it goes. */
  spoiled(member: Member): void {
    if (member.running === 0 || !member.instance.alive) this.dismiss(member);
    else this.#members.withdraw(member);
  }

  /** Gives an instance up. Nothing is to run on it any more; what still does ends as `died`. */
  dismiss(member: Member): void {
    if (!member.alive) return;
    member.alive = false;
    if (member.booting) this.booting--;
    member.booting = false;
    this.#members.remove(member);
    this.#options.host.room.instances--;
    this.#options.template.holding.gaveBack();
    if (this.#members.size === 0) this.#options.template.rest();
    member.instance.kill();
    this.#options.changed();
  }

  /** Gives all of them up. Resolves when each is gone. */
  close(): Promise<unknown> {
    const ends = [...this.#members].map((member) => member.instance.closed);
    for (const member of this.#members) this.dismiss(member);
    this.#members.stop();
    return Promise.all(ends);
  }
}
