/** Starts as JSON: how invocations got their instances. */
import type { ServerResponse } from 'node:http';
import { HearthError } from '../../kernel/mod.ts';
import { START_KINDS } from '../../ports/mod.ts';
import type { FunctionLogs, StartKind } from '../../ports/mod.ts';
import { sendJson } from './respond.ts';

export type SendStart = { readonly logs: FunctionLogs; readonly id: string; readonly functionNames: Iterable<string> };

export async function sendStart(response: ServerResponse, { logs, id, functionNames }: SendStart): Promise<void> {
  if (!/^[\w-]{1,128}$/.test(id)) throw new HearthError('BadRequest', `${id} is no request id: those are UUIDs`);
  const start = await logs.findStart(id, functionNames);
  if (!start) throw new HearthError('ResourceNotFoundException', `No start is recorded under ${id}. ${WHY_NOT}`);
  sendJson(response, 200, start);
}

const WHY_NOT =
  'An invocation is recorded when it has ended, if it was given an instance, for as long as the log of its function goes back; see docs/tracing.md';

export type SendStarts = {
  readonly logs: FunctionLogs;
  readonly functionName: string;
  readonly kind: string | null;
  readonly limit: number | undefined;
};

/** Oldest first, as a log is. */
export async function sendStarts(response: ServerResponse, { logs, functionName, kind, limit }: SendStarts): Promise<void> {
  if (kind !== null && !isKind(kind)) throw new HearthError('BadRequest', `kind=${kind}: give one of ${START_KINDS.join(', ')}`);
  const starts = await logs.starts(functionName, { ...(kind !== null && { kind }), ...(limit !== undefined && { limit }) });
  sendJson(response, 200, { starts });
}

const isKind = (text: string): text is StartKind => (START_KINDS as readonly string[]).includes(text);
