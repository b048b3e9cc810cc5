/**
 * The Lambda Extensions API, version 2020-01-01, of one execution environment: extensions register during init, ask for events, and say when they
 * fail. States, answers and limits are those that AWS documents ("Using the Lambda Extensions API to create extensions").
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Exit } from '../../ports/mod.ts';
import type { FunctionError, InvokeHead } from '../../protocol/mod.ts';
import { Extension } from './extension.ts';
import type { LifecycleEvent } from './extension.ts';
import { NOT_FOUND, accept, bodyOf, headerOf, refuse, reply, tooLarge } from './reply.ts';

export type ShutdownReason = 'spindown' | 'timeout' | 'failure';

export type ExtensionApiOptions = {
  /** Files in /opt/extensions. */
  readonly external: readonly string[];
  readonly uuid: () => string;
  readonly listener: ExtensionListener;
  readonly facts: ExtensionFacts;
};

/** What extensions are told of their function. */
export type ExtensionFacts = {
  readonly functionName: string;
  readonly functionVersion: string;
  readonly handler: string;
  readonly accountId: string;
  /** Invocations that may run at a time: so far may an extension be behind them. */
  readonly concurrency: number;
};

export interface ExtensionListener {
  /** The last of the external ones has registered: the runtime may begin. */
  registered(): void;
  /** One has asked for an event. */
  asked(): void;
  /** One has failed, and the environment with it. */
  failed(extension: Extension, error: FunctionError): void;
  /** An external one has ended. */
  ended(extension: Extension): void;
}

/** Lambda's. */
export const EXTENSIONS = 10;
const PREFIX = '/2020-01-01/extension/';
const BODY_BYTES = 256 * 1024;
const NAME_CHARACTERS = 128;
const TYPE_CHARACTERS = 256;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const EVENTS: readonly string[] = ['INVOKE', 'SHUTDOWN'];

export class ExtensionApi {
  readonly extensions: Extension[] = [];
  readonly #options: ExtensionApiOptions;
  #open = true;
  #shuttingDown = false;

  constructor(options: ExtensionApiOptions) {
    this.#options = options;
    for (const name of options.external) this.extensions.push(new Extension({ name, kind: 'external', id: options.uuid() }));
  }

  /** Whether a request is one to this API. */
  static owns(path: string): boolean {
    return path.startsWith(PREFIX);
  }

  /**
   * Whether all of them wait for the next event. `standsStill`: so does the runtime after its init, and with it the internal ones that have not
   * asked yet.
   */
  ready(standsStill: boolean): boolean {
    return this.extensions.every(({ kind, state }) => state === 'Ready' || (standsStill && kind === 'internal' && state === 'Registered'));
  }

  get external(): readonly Extension[] {
    return this.extensions.filter(({ kind }) => kind === 'external');
  }

  /** Init is done: no further one can register. */
  close(): void {
    this.#open = false;
  }

  handle(request: IncomingMessage, response: ServerResponse): void {
    const call = `${request.method} ${request.url!.slice(PREFIX.length)}`;
    if (call === 'POST register') void this.#register(request, response);
    else if (call === 'GET event/next') this.#next(request, response);
    else if (call === 'POST init/error') void this.#error('InitError', request, response);
    else if (call === 'POST exit/error') void this.#error('ExitError', request, response);
    else refuse(response, NOT_FOUND);
  }

  /** Who has sent a request, by its identifier; undefined: nobody that is known, and that was said. */
  sender(request: IncomingMessage, response: ServerResponse): Extension | undefined {
    const id = headerOf(request, 'lambda-extension-identifier');
    if (id === undefined || id === '')
      forbid(response, 'Extension.MissingExtensionIdentifier', 'Missing Lambda-Extension-Identifier header');
    else if (!UUID.test(id)) forbid(response, 'Extension.InvalidExtensionIdentifier', 'Invalid Lambda-Extension-Identifier');
    else {
      // Before it has registered nobody has been told its identifier.
      const known = this.extensions.find((extension) => extension.id === id.toLowerCase() && extension.state !== 'Started');
      if (known) return known;
      forbid(response, 'Extension.UnknownExtensionIdentifier', `Unknown extension ${id}`);
    }
    return undefined;
  }

  /** Whether none is so far behind that no further invocation can be told. */
  get keepsUp(): boolean {
    return this.extensions.every(({ behind }) => behind < this.#options.facts.concurrency);
  }

  /** All of them must be ready or, where several invocations run at a time, keep up. */
  invoke({ deadlineMs, id, arn, trace }: InvokeHead): void {
    const tracing = { type: 'X-Amzn-Trace-Id', value: trace ?? '' };
    for (const extension of this.extensions)
      if (extension.events.includes('INVOKE'))
        extension.give({ eventType: 'INVOKE', deadlineMs, requestId: id, invokedFunctionArn: arn, tracing });
  }

  /** Tells those external ones that want to know. Returns them. */
  shutDown(shutdownReason: ShutdownReason, deadlineMs: number): readonly Extension[] {
    this.#shuttingDown = true;
    const told = this.external.filter(({ lives, events }) => lives && events.includes('SHUTDOWN'));
    for (const extension of told) extension.give({ eventType: 'SHUTDOWN', shutdownReason, deadlineMs });
    return told;
  }

  /** An end is expected from now on. */
  expectEnds(): void {
    this.#shuttingDown = true;
  }

  /** The driver has seen an external one end; undefined: it could not begin. */
  ended(name: string, exit: Exit | undefined): void {
    const extension = this.extensions.find((one) => one.kind === 'external' && one.name === name);
    if (!extension || extension.state === 'Exited') return;
    const { lives } = extension;
    if (exit === undefined) {
      this.#fail(extension, 'LaunchError', 'LaunchError', `extension ${name} could not be started: the log says why`);
      return;
    }
    // One that has said why it will end is known to have failed.
    if (lives && !this.#shuttingDown) this.#fail(extension, 'ExitError', 'Crash', `extension ${name}: ${exitText(exit)}`);
    extension.state = 'Exited';
    this.#options.listener.ended(extension);
  }

  async #register(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const name = headerOf(request, 'lambda-extension-name') ?? '';
    const body = await bodyOf(request, BODY_BYTES);
    if (body === 'too large') return refuse(response, tooLarge(BODY_BYTES));
    if (name === '') return forbid(response, 'Extension.InvalidExtensionName', 'Empty extension name');
    if (name.length > NAME_CHARACTERS || /[^\x21-\x7e]/.test(name))
      return forbid(response, 'Extension.InvalidExtensionName', `An extension's name has at most ${NAME_CHARACTERS} printable characters`);
    const events = readEvents(Buffer.isBuffer(body) ? body.toString() : '');
    if (typeof events === 'string') return forbid(response, 'InvalidRequestFormat', events);
    const external = this.extensions.find((one) => one.kind === 'external' && one.name === name);
    const wrong = events.map((event) => whyNot(event, external !== undefined)).find((why) => why !== undefined);
    if (wrong !== undefined) return forbid(response, 'Extension.InvalidEventType', wrong);
    const extension = external ?? this.#newInternal(name, response);
    if (!extension) return;
    if (extension.state !== 'Started') return refuseTransition(response, extension, 'Registered');
    extension.state = 'Registered';
    extension.events = [...new Set(events as LifecycleEvent[])];
    const { facts, listener } = this.#options;
    const { functionName, functionVersion, handler, accountId } = facts;
    const features = (headerOf(request, 'lambda-extension-accept-feature') ?? '').split(',').map((feature) => feature.trim());
    const told = { functionName, functionVersion, handler, ...(features.includes('accountId') && { accountId }) };
    reply(response, 200, told, { 'Lambda-Extension-Identifier': extension.id });
    if (extension.kind === 'external' && this.external.every(({ state }) => state !== 'Started')) listener.registered();
  }

  #newInternal(name: string, response: ServerResponse): Extension | undefined {
    if (!this.#open) forbid(response, 'Extension.RegistrationClosed', 'Extension registration closed already');
    else if (this.extensions.some((one) => one.name === name))
      forbid(response, 'Extension.InvalidExtensionState', 'Extension with this name already registered');
    else if (this.extensions.length >= EXTENSIONS)
      forbid(response, 'Extension.TooManyExtensions', `Extension limit (${EXTENSIONS}) reached`);
    else {
      const extension = new Extension({ name, kind: 'internal', id: this.#options.uuid() });
      this.extensions.push(extension);
      return extension;
    }
    return undefined;
  }

  #next(request: IncomingMessage, response: ServerResponse): void {
    const extension = this.sender(request, response);
    if (!extension) return;
    if (!extension.mayAsk) return refuseTransition(response, extension, 'Ready');
    response.setHeader('Lambda-Extension-Event-Identifier', this.#options.uuid());
    extension.ask(response);
    this.#options.listener.asked();
  }

  async #error(to: 'InitError' | 'ExitError', request: IncomingMessage, response: ServerResponse): Promise<void> {
    const extension = this.sender(request, response);
    if (!extension) return;
    const type = headerOf(request, 'lambda-extension-function-error-type');
    if (type === undefined || type === '')
      return forbid(response, 'Extension.MissingHeader', 'Lambda-Extension-Function-Error-Type not found');
    if (!extension.lives || (to === 'InitError' && extension.state !== 'Registered')) return refuseTransition(response, extension, to);
    extension.state = to;
    const body = await bodyOf(request, BODY_BYTES);
    if (body === 'too large') refuse(response, tooLarge(BODY_BYTES));
    else accept(response);
    const shown = type.slice(0, TYPE_CHARACTERS).replaceAll(/[^\x21-\x7e]/g, ' ');
    const message = Buffer.isBuffer(body) ? messageOf(body.toString()) : '';
    this.#fail(extension, to, to, `extension ${extension.name}: ${shown}${message === '' ? '' : `: ${message}`}`, shown);
  }

  #fail(extension: Extension, state: Extension['state'], type: string, errorMessage: string, said?: string): void {
    extension.state = state;
    extension.errorType = said ?? `Extension.${type}`;
    if (!this.#shuttingDown) this.#options.listener.failed(extension, { errorType: `Extension.${type}`, errorMessage });
  }
}

function whyNot(event: string, external: boolean): string | undefined {
  if (!EVENTS.includes(event)) return `${event}: InvalidEventType`;
  return event === 'SHUTDOWN' && !external ? `${event}: ShutdownEventNotSupportedForInternalExtension` : undefined;
}

function readEvents(text: string): readonly string[] | string {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch (error) {
    return error instanceof Error ? error.message : 'the body is not JSON';
  }
  if (typeof body !== 'object' || body === null) return 'the body is not a JSON object';
  const { events = [], configurationKeys = [] } = body as { events?: unknown; configurationKeys?: unknown };
  if (Array.isArray(configurationKeys) && configurationKeys.length > 0)
    return 'configurationKeys are deprecated; use environment variables instead';
  if (!Array.isArray(events) || !events.every((event) => typeof event === 'string')) return 'events is not a list of strings';
  return events;
}

function messageOf(text: string): string {
  try {
    const { errorMessage } = JSON.parse(text) as { errorMessage?: unknown };
    return typeof errorMessage === 'string' ? errorMessage : '';
  } catch {
    // It says what it likes: its type is told in any case.
    return '';
  }
}

const exitText = (exit: Exit): string => {
  if (exit.kind === 'exited') return `exit code ${exit.code}`;
  return exit.kind === 'signalled' ? `ended by ${exit.signal}` : 'ended';
};

const forbid = (response: ServerResponse, errorType: string, errorMessage: string): void =>
  refuse(response, { status: 403, errorType, errorMessage });

const refuseTransition = (response: ServerResponse, { state, name }: Extension, to: string): void =>
  forbid(
    response,
    'Extension.InvalidExtensionState',
    `State transition from ${state} to ${to} failed for extension ${name}. Error: State transition is not allowed`,
  );
