/** Bytes to a platform as no client library would send them, and what comes back. */
import { connect } from 'node:net';
import type { Socket } from 'node:net';

/** Much longer than the platform waits for the rest of a head. */
const PATIENCE_MS = 60_000;

export type WireAnswer = { readonly status: number; readonly head: string; readonly body: string };

export type Wire = {
  readonly socket: Socket;
  send(bytes: string | Buffer): void;
  /** The answers so far, whole ones. */
  answers(): WireAnswer[];
  /** All that came, a character per byte. */
  text(): string;
  /** Resolves when there are so many whole answers, or the other side has closed. */
  until(count: number): Promise<WireAnswer[]>;
  /** Resolves when the other side has closed. */
  closed(): Promise<WireAnswer[]>;
  destroy(): void;
};

export function wire(url: string): Wire {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  let text = '';
  let over = false;
  const waiting = new Set<() => void>();
  const look = () => {
    for (const check of [...waiting]) check();
  };
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
    look();
  });
  // A reset is an end like any other here.
  socket.on('error', () => undefined);
  socket.on('close', () => {
    over = true;
    look();
  });
  const until = (holds: () => boolean) =>
    new Promise<WireAnswer[]>((resolve, reject) => {
      const late = setTimeout(() => {
        waiting.delete(check);
        socket.destroy();
        reject(new Error(`the platform neither answered nor closed the connection; it said ${JSON.stringify(text.slice(0, 1_000))}`));
      }, PATIENCE_MS);
      const check = () => {
        if (!over && !holds()) return;
        waiting.delete(check);
        clearTimeout(late);
        resolve(readAnswers(text));
      };
      waiting.add(check);
      check();
    });
  return {
    socket,
    send: (bytes) => void socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes),
    answers: () => readAnswers(text),
    text: () => text,
    until: (count) => until(() => readAnswers(text).length >= count),
    closed: () => until(() => false),
    destroy: () => void socket.destroy(),
  };
}

/** By their content-length; what has neither that nor chunks ends with the connection. */
export function readAnswers(text: string): WireAnswer[] {
  const answers: WireAnswer[] = [];
  for (let at = 0; ;) {
    const end = text.indexOf('\r\n\r\n', at);
    if (end === -1) return answers;
    const head = text.slice(at, end);
    const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1] ?? Number.NaN);
    const length = /^content-length: *(\d+)/im.exec(head)?.[1];
    const bodyAt = end + 4;
    const bodyEnd = length !== undefined ? bodyAt + Number(length) : /^transfer-encoding/im.test(head) ? chunksEnd(text, bodyAt) : bodyAt;
    if (bodyEnd === undefined || bodyEnd > text.length) return answers;
    answers.push({ status, head, body: text.slice(bodyAt, bodyEnd) });
    at = bodyEnd;
  }
}

function chunksEnd(text: string, from: number): number | undefined {
  const last = text.indexOf('0\r\n\r\n', from);
  return last === -1 ? undefined : last + 5;
}
