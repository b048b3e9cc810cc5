/** A gateway behind the real HTTP server, with an engine whose invocations the test itself answers. */
import { once } from 'node:events';
import { connect } from 'node:net';
import type { TestContext } from 'node:test';
import { closeAfter } from '../closing.ts';
import { createGateway } from '../../src/gateway/mod.ts';
import type { GatewayOptions, UrlRoute } from '../../src/gateway/mod.ts';
import type { Deployment, Engine, EngineListener, Invocation } from '../../src/engine/mod.ts';
import { LIMITS, silentLog, systemClock, systemRandom } from '../../src/kernel/mod.ts';
import { jsonOf } from '../../src/protocol/mod.ts';
import { startHttpServer } from '../../src/main/http-server.ts';
import type { HttpServerOptions } from '../../src/main/http-server.ts';

export type Call = {
  readonly invocation: Invocation;
  readonly event: UrlEvent;
  readonly listener: EngineListener;
  /** What the gateway did to its handle, in order. */
  readonly did: string[];
};

export type UrlEvent = {
  readonly rawPath: string;
  readonly rawQueryString: string;
  readonly cookies?: string[];
  readonly headers: Readonly<Record<string, string>>;
  readonly queryStringParameters?: Readonly<Record<string, string>>;
  readonly requestContext: {
    readonly requestId: string;
    readonly accountId: string;
    readonly authorizer?: { readonly iam: { readonly accessKey: string } };
    readonly http: { readonly method: string; readonly path: string; readonly protocol: string };
  };
  readonly body?: string;
  readonly isBase64Encoded: boolean;
};

export const URL_ID = 'abcdefghijklmnopqrstuvwxyz012345';
export const HOST = `${URL_ID}.lambda-url.us-east-1.localhost:4566`;

export type Setup = {
  readonly function: (call: Call) => void;
  readonly route?: Partial<UrlRoute>;
  readonly limits?: Partial<HttpServerOptions['limits']>;
  readonly admit?: GatewayOptions['admit'];
};

export async function start(t: TestContext, setup: Setup) {
  const deployment = { id: 'd', functionName: 'f', version: '$LATEST', arn: 'arn', timeoutMs: 3_000 } as Deployment;
  const route: UrlRoute = { deployment, invokeMode: 'BUFFERED', authType: 'NONE', ...setup.route };
  const calls: Call[] = [];
  const engine: Pick<Engine, 'invoke'> = {
    invoke(invocation, listener) {
      const did: string[] = [];
      const event = JSON.parse(jsonOf(invocation.event)) as UrlEvent;
      const call = { invocation, event, listener, did };
      calls.push(call);
      setup.function(call);
      const note = (what: string) => () => void did.push(what);
      return { requestId: invocation.requestId ?? '', pause: note('pause'), resume: note('resume'), abandon: note('abandon') };
    },
  };
  const gateway = createGateway({
    engine,
    routes: { byUrlId: (id) => (id === URL_ID ? route : undefined) },
    clock: systemClock,
    random: systemRandom,
    region: 'us-east-1',
    accountId: '000000000000',
    limits: LIMITS,
    ...(setup.admit && { admit: setup.admit }),
  });
  const server = await startHttpServer({
    host: '127.0.0.1',
    port: 0,
    limits: { ...LIMITS.http, ...setup.limits },
    gateway,
    clock: systemClock,
    control: (_, response) => void response.writeHead(404).end('not the gateway'),
    log: silentLog,
  });
  closeAfter(t, () => server.close(0));
  return { ...server, calls, base: `${server.url}/_url/${URL_ID}` };
}

/** Ends the call with what a function returned. */
export function answer(call: Call, value: unknown): void {
  call.listener.end({ kind: 'answered', payload: Buffer.from(JSON.stringify(value)) });
}

/** A connection to write bytes to by hand. */
export async function raw(t: TestContext, port: number) {
  const socket = connect(port, '127.0.0.1');
  closeAfter(t, () => socket.destroy());
  socket.on('error', () => socket.destroy());
  let text = '';
  let wake = () => {};
  const state = { ended: false };
  socket.setEncoding('latin1');
  socket.on('data', (chunk: string) => {
    text += chunk;
    wake();
  });
  socket.on('close', () => {
    state.ended = true;
    wake();
  });
  await once(socket, 'connect');
  const until = async (done: (text: string) => boolean): Promise<string> => {
    while (!done(text)) {
      if (state.ended) throw new Error(`the connection ended after: ${text}`);
      await new Promise<void>((resolve) => (wake = resolve));
    }
    return text;
  };
  return {
    socket,
    until,
    /** All that came until the server ended the connection. */
    async untilClosed(): Promise<string> {
      while (!state.ended) await new Promise<void>((resolve) => (wake = resolve));
      return text;
    },
  };
}
