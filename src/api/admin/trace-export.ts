/** What the platform has recorded of invocations, as lines that `hearth replay` reads: when each came, how long it took, how it started. */
import type { ServerResponse } from 'node:http';
import { HearthError, LIMITS } from '../../kernel/mod.ts';
import type { Clock } from '../../kernel/mod.ts';
import { INVOCATION_TRACE } from '../../protocol/mod.ts';
import type { TraceInvocation, TraceLine } from '../../protocol/mod.ts';
import { hundredths } from '../../ports/mod.ts';
import type { FunctionLogs, InvocationReport } from '../../ports/mod.ts';

export type TraceExport = { readonly functionNames: readonly string[]; readonly sinceMs: number | undefined };
export type SendTrace = (response: ServerResponse, what: TraceExport) => Promise<void>;

/** One export runs at a time: it reads all the logs there are. Functions come one after the other, each oldest first. */
export function createTraceExport(options: { readonly logs: FunctionLogs; readonly clock: Clock; readonly limit?: number }): SendTrace {
  let busy = false;
  return async (response, what) => {
    if (busy) throw new HearthError('TooManyRequestsException', 'Another trace is being exported; try again when it is done.');
    busy = true;
    try {
      await send(response, { ...options, ...what });
    } finally {
      busy = false;
    }
  };
}

type Sending = TraceExport & { readonly logs: FunctionLogs; readonly clock: Clock; readonly limit?: number };

async function send(
  response: ServerResponse,
  { logs, clock, functionNames, sinceMs, limit = LIMITS.tracedInvocations }: Sending,
): Promise<void> {
  response.writeHead(200, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' });
  const header = { [INVOCATION_TRACE.key]: INVOCATION_TRACE.version, exportedMs: clock.now() } as const;
  await write(response, [{ ...header, ...(sinceMs !== undefined && { sinceMs }) }]);
  let sent = 0;
  for (const functionName of functionNames) {
    let told = false;
    for await (const { reports, cut } of logs.invocations(functionName)) {
      if (response.destroyed) return;
      const lines = reports.map(invocationOf).filter(({ atMs }) => atMs >= (sinceMs ?? 0));
      // What is missing lies before what is asked for, where that does not begin with the first record there is.
      const lacking = cut && !told && lines.length > 0 && lines.length === reports.length;
      told ||= reports.length > 0;
      const fitting = lines.slice(0, limit - sent);
      sent += fitting.length;
      await write(response, lacking ? [{ function: functionName, cut: true }, ...fitting] : fitting);
      if (fitting.length < lines.length) return finish(response, { end: true, invocations: sent, limited: true });
    }
  }
  finish(response, { end: true, invocations: sent });
}

function finish(response: ServerResponse, line: TraceLine): void {
  response.end(`${JSON.stringify(line)}\n`);
}

/** Waits for a reader that is slower than the files. */
async function write(response: ServerResponse, lines: readonly TraceLine[]): Promise<void> {
  if (lines.length === 0 || response.destroyed || response.write(lines.map((line) => `${JSON.stringify(line)}\n`).join(''))) return;
  await new Promise<void>((resolve) => {
    const go = (): void => {
      response.off('drain', go);
      response.off('close', go);
      resolve();
    };
    response.on('drain', go);
    response.on('close', go);
  });
}

/** No request id, no payload, no line of a log, and nothing that the function itself has said. */
function invocationOf(report: InvocationReport): TraceInvocation {
  const { functionName, version, startedMs, waitedMs, durationMs, initMs, start, memoryMiB, usedMiB, status, trigger } = report;
  return {
    function: functionName,
    version,
    atMs: Math.round(startedMs - waitedMs),
    waitMs: hundredths(waitedMs),
    durationMs: hundredths(durationMs),
    ...(initMs !== undefined && { initMs: hundredths(initMs) }),
    ...(start && { start: start.kind, cause: start.cause }),
    memoryMiB,
    usedMiB,
    trigger: trigger ?? 'invoke',
    status: /^Status: (\w+)/.exec(status)?.[1] ?? 'ok',
  };
}
