/** A function's log as lines of JSON: what there is, and with `follow` what comes, without a gap and without an entry twice. */
import type { ServerResponse } from 'node:http';
import type { Clock } from '../../kernel/mod.ts';
import type { FunctionLogs, LogEntry, LogQuery } from '../../ports/mod.ts';

export type SendLogs = {
  readonly logs: FunctionLogs;
  readonly clock: Clock;
  readonly functionName: string;
  readonly follow: boolean;
  readonly query: LogQuery;
};

/** A reader that is further behind than this misses lines, and is told so. */
const BEHIND_BYTES = 1024 * 1024;
/** An empty line this often finds out whether the reader is still there. */
const HEARTBEAT_MS = 15_000;

export async function sendLogs(response: ServerResponse, options: SendLogs): Promise<void> {
  const head = { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' };
  if (!options.follow) {
    const entries = await readAll(options);
    response.writeHead(200, head);
    for (const entry of entries) response.write(line(entry));
    return void response.end();
  }
  // Followed before it is read: what is appended in between is in both, and sent once.
  let early: LogEntry[] | undefined = [];
  const { requestId } = options.query;
  let missed = 0;
  const send = (entry: LogEntry): void => {
    if (response.writableLength > BEHIND_BYTES) return void missed++;
    if (missed > 0) response.write(line({ ...entry, level: 'WARN', text: `... ${missed} entries left out: the reader is too slow` }));
    missed = 0;
    response.write(line(entry));
  };
  const stop = options.logs.follow(options.functionName, (entry) => {
    if (requestId !== undefined && entry.requestId !== requestId) return;
    if (early) early.push(entry);
    else send(entry);
  });
  response.once('close', stop);
  try {
    const entries = await readAll(options);
    response.writeHead(200, head);
    response.flushHeaders();
    for (const entry of entries) response.write(line(entry));
    for (const entry of without(early, entries)) send(entry);
    early = undefined;
    heartbeat(response, options.clock);
  } catch (error) {
    stop();
    throw error;
  }
}

async function readAll({ logs, functionName, query }: SendLogs): Promise<readonly LogEntry[]> {
  await logs.flush();
  return logs.read(functionName, query);
}

/** What of `early` is not among `sent`, counting equal entries. */
function without(early: readonly LogEntry[], sent: readonly LogEntry[]): readonly LogEntry[] {
  const counts = new Map<string, number>();
  for (const entry of sent) counts.set(line(entry), (counts.get(line(entry)) ?? 0) + 1);
  return early.filter((entry) => {
    const count = counts.get(line(entry)) ?? 0;
    if (count > 0) counts.set(line(entry), count - 1);
    return count === 0;
  });
}

function heartbeat(response: ServerResponse, clock: Clock): void {
  const beat = (): void => {
    if (response.destroyed || response.writableEnded) return;
    response.write('\n');
    timer = clock.after(HEARTBEAT_MS, beat);
  };
  let timer = clock.after(HEARTBEAT_MS, beat);
  response.once('close', () => timer.cancel());
}

const line = ({ timeMs, requestId, level, text }: LogEntry): string => `${JSON.stringify({ timeMs, requestId, level, text })}\n`;
