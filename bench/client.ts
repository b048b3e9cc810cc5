import { Agent, request } from 'node:http';

export type Answer = { readonly status: number; readonly headers: readonly string[]; readonly body: Buffer; readonly ms: number };
export type Call = {
  readonly url: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
};

export type Client = { readonly call: (call: Call) => Promise<Answer>; readonly close: () => void };

/** One kept-alive connection, or as many as there are calls at a time. `ms` runs from writing the request to the end of its answer. */
export function openClient(): Client {
  const agent = new Agent({ keepAlive: true });
  const call = ({ url, method = 'GET', headers = {}, body = '' }: Call) =>
    new Promise<Answer>((resolve, reject) => {
      const startedMs = performance.now();
      const sent = request(url, { method, agent, headers: { ...headers, 'content-length': Buffer.byteLength(body) } }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.once('error', reject);
        response.once('end', () => {
          const ms = performance.now() - startedMs;
          resolve({ status: response.statusCode ?? 0, headers: response.rawHeaders, body: Buffer.concat(chunks), ms });
        });
      });
      sent.once('error', reject);
      sent.end(body);
    });
  return { call, close: () => agent.destroy() };
}

export function expectStatus(answer: Answer, what: string, ...allowed: readonly number[]): Answer {
  if (allowed.includes(answer.status)) return answer;
  throw new Error(`${what}: HTTP ${answer.status} ${answer.body.toString('utf8').slice(0, 500)}`);
}
