/** Frames of invocations that are none, as the engine sends them: for rehearsals. */
import { HEAD_BYTES, KIND } from './channel.ts';

const ID = '00000000-0000-4000-8000-000000000000';
const DEADLINE = '1000000000000';
const ARN = 'arn:aws:lambda';
export const TRACE = 'Root=1-00000000-000000000000000000000000';

/** With the event as JSON. */
export function invokeFrame(stream: number, trace = ''): Buffer {
  const more = trace === '' ? '' : `,"trace":"${trace}"`;
  const head = Buffer.from(`{"id":"${ID}","deadlineMs":${DEADLINE},"arn":"${ARN}"${more}}`);
  return frameOf(KIND.invoke, stream, [head.length], head, Buffer.from('{"name":"Ada","list":[1,2,3]}'));
}

/** With the event as a form. */
export function formFrame(stream: number, trace = ''): Buffer {
  // As function URLs have it.
  const event = {
    version: '2.0',
    routeKey: '$default',
    rawPath: '/',
    rawQueryString: '',
    headers: { host: 'localhost', 'x-amzn-trace-id': '' },
    requestContext: {
      accountId: 'anonymous',
      apiId: 'id',
      domainName: 'localhost',
      domainPrefix: 'id',
      http: { method: '', path: '', protocol: 'HTTP/1.1', sourceIp: '127.0.0.1', userAgent: '' },
      requestId: '',
      routeKey: '$default',
      stage: '$default',
      time: '',
      timeEpoch: 0,
    },
    isBase64Encoded: false,
  };
  const blanks = [
    [['requestContext', 'http', 'method'], 'text'],
    [['rawPath'], 'text'],
    [['requestContext', 'timeEpoch'], 'number'],
  ];
  const form = Buffer.from(JSON.stringify({ event, blanks, body: 'none' }));
  const texts = Buffer.from(`${[ID, DEADLINE, ARN, trace, 'GET', '/', '1'].join('\n')}\n`);
  return frameOf(KIND.invokeForm, stream, [1, form.length, texts.length], form, texts);
}

/** A frame whose payload begins with numbers, u32 each. */
function frameOf(kind: number, stream: number, numbers: readonly number[], ...parts: readonly Buffer[]): Buffer {
  const head = Buffer.alloc(HEAD_BYTES + 4 * numbers.length);
  const frame = Buffer.concat([head, ...parts]);
  frame.writeUInt32LE(frame.length - HEAD_BYTES, 0);
  frame[4] = kind;
  frame.writeUInt32LE(stream, 5);
  numbers.forEach((number, i) => frame.writeUInt32LE(number, HEAD_BYTES + 4 * i));
  return frame;
}
