import type { SimCall, SimFunction, SimInit } from '../../src/adapters/simulated/mod.ts';

/** What the functions of test/fixtures/functions do, for sandboxes without processes. */
export const SIMULATED_FUNCTIONS: Readonly<Record<string, SimFunction>> = {
  echo: of((call) => call.respond({ event: call.input(), requestId: call.head.id, arn: call.head.arn })),
  counter: {
    load: () => () => {
      let count = 0;
      return (call) => call.respond(++count);
    },
  },
  throws: of((call) => {
    const { reject } = call.input();
    if (typeof reject === 'string') call.fail({ errorType: 'string', errorMessage: reject });
    else throw new TypeError('thrown on purpose');
  }),
  exits: of((call) => call.exit({ kind: 'exited', code: Number(call.input()['code']) })),
  never: of(() => {}),
  logs: of(
    (call) => {
      call.log('plain 1');
      call.log('warned', 'WARN');
      call.log('two\nlines', 'ERROR');
      call.log('raw');
      call.respond('logged');
    },
    (init) => init.log('during init'),
  ),
  streams: { ...of(stream), streaming: true },
  'goes-on': of((call) => {
    call.goesOn();
    call.respond({ statusCode: 200, body: '"early"' });
    call.after(20, () => {
      call.log('after the answer');
      call.over();
    });
  }),
  together: {
    load: () => () => {
      const waiting: SimCall[] = [];
      return (call) => {
        waiting.push(call);
        if (waiting.length >= Number(call.input()['count'])) for (const each of waiting) each.respond(waiting.length);
      };
    },
  },
  'open-socket': { ...of((call) => call.respond('own server')), blockers: [{ kind: 'socket', detail: 'listens on 127.0.0.1' }] },
  'init-error': of(
    () => {},
    (init) => {
      init.log('about to fail');
      throw new RangeError('no configuration');
    },
  ),
  'init-exit': of(
    () => {},
    (init) => init.exit({ kind: 'exited', code: 7 }),
  ),
  'init-slow': of(
    () => {},
    (init) => init.takes(600_000),
  ),
};

function of(handler: (call: SimCall) => void, init: (init: SimInit) => void = () => {}): SimFunction {
  return {
    load(given) {
      init(given);
      return () => handler;
    },
  };
}

function stream(call: SimCall): void {
  const { chunks, bytes = 0, breaks } = call.input() as { readonly chunks: number; readonly bytes?: number; readonly breaks?: number };
  call.streamHead({
    contentType: 'application/vnd.awslambda.http-integration-response',
    prelude: { statusCode: 201, headers: { 'x-made-by': 'streams' } },
  });
  const write = (n: number): void => {
    if (n > chunks) {
      call.streamEnd();
      return;
    }
    const flowing = call.streamChunk(Buffer.from(bytes > 0 ? 'x'.repeat(bytes) : `${n};`));
    if (breaks === n) call.streamEnd({ errorType: 'RangeError', errorMessage: 'broken off' });
    else if (flowing) call.after(0, () => write(n + 1));
    else call.drained(() => write(n + 1));
  };
  write(1);
}
