import { join } from 'node:path';
import { firstLine, startChild, stopChild } from '../children.ts';
import type { Answer } from '../client.ts';

export type Peer = { readonly url: string; readonly stop: () => Promise<void> };

/** A node:http server, as small as it can be, that answers what `answer` was: the same status, headers and body. */
export async function startBare(answer: Answer): Promise<Peer> {
  const said = JSON.stringify({ status: answer.status, headers: withoutTransport(answer.headers), body: answer.body.toString('base64') });
  const child = startChild(process.execPath, [join(import.meta.dirname, 'bare-server.ts'), said]);
  const port = await firstLine(child, 'the bare server', (line) => /^port (\d+)$/.exec(line)?.[1]);
  return { url: `http://127.0.0.1:${port}/`, stop: () => stopChild(child) };
}

/** Node adds these by itself, as it does for Hearth. */
export function withoutTransport(headers: readonly string[]): string[] {
  const kept: string[] = [];
  for (let i = 0; i + 1 < headers.length; i += 2) {
    if (!['connection', 'keep-alive', 'date', 'transfer-encoding'].includes(headers[i]!.toLowerCase()))
      kept.push(headers[i]!, headers[i + 1]!);
  }
  return kept;
}
