import type { ServerResponse } from 'node:http';
import { reply } from './reply.ts';

export type LifecycleEvent = 'INVOKE' | 'SHUTDOWN';

/** The words that Lambda has for them. `Started`: its process runs, or is about to. */
export type ExtensionState = 'Started' | 'Registered' | 'Ready' | 'Running' | 'LaunchError' | 'InitError' | 'ExitError' | 'Exited';

export type ExtensionOptions = {
  readonly name: string;
  /** External: a process of its own, from /opt/extensions. Internal: it lives within the runtime. */
  readonly kind: 'external' | 'internal';
  /** What it says to be known by. */
  readonly id: string;
};

/** One extension of an execution environment, and what it may do next. */
export class Extension {
  readonly name: string;
  readonly kind: ExtensionOptions['kind'];
  readonly id: string;
  events: readonly LifecycleEvent[] = [];
  state: ExtensionState = 'Started';
  /** What it said of its failure. */
  errorType: string | undefined;
  /** It has subscribed to telemetry, by this one of the two APIs. */
  subscribedBy: 'telemetry' | 'logs' | undefined;
  #waiting: ServerResponse | undefined;
  /** In order. More than one where several invocations run at a time. */
  readonly #pending: object[] = [];

  constructor({ name, kind, id }: ExtensionOptions) {
    this.name = name;
    this.kind = kind;
    this.id = id;
  }

  /** Its process is there, as far as is known, and has not said that it fails. */
  get lives(): boolean {
    return this.state === 'Started' || this.state === 'Registered' || this.state === 'Ready' || this.state === 'Running';
  }

  /** Whether it may ask for an event now. */
  get mayAsk(): boolean {
    return this.state === 'Registered' || this.state === 'Running' || (this.state === 'Ready' && !this.#waiting);
  }

  /** Events that it has not asked for yet. */
  get behind(): number {
    return this.#pending.length;
  }

  /** It asks for an event, and gets it as soon as there is one. */
  ask(response: ServerResponse): void {
    const pending = this.#pending.shift();
    if (pending) return this.#send(response, pending);
    this.state = 'Ready';
    this.#waiting = response;
    response.once('close', () => {
      if (this.#waiting === response) this.#waiting = undefined;
    });
  }

  give(event: object): void {
    this.state = 'Running';
    const waiting = this.#waiting;
    this.#waiting = undefined;
    // Its connection may have broken off: it asks again.
    if (waiting) this.#send(waiting, event);
    else this.#pending.push(event);
  }

  /** As it stands in the function's log. */
  line(): string {
    const error = this.errorType === undefined ? '' : `\tError Type: ${this.errorType}`;
    return `EXTENSION\tName: ${this.name}\tState: ${this.state}\tEvents: [${this.events.join(', ')}]${error}`;
  }

  #send(response: ServerResponse, event: object): void {
    reply(response, 200, event, { 'Lambda-Extension-Identifier': this.id });
  }
}
