import { HearthError } from '../kernel/mod.ts';
import type { Context } from './context.ts';
import { tableText } from './text.ts';

export type TraceOptions = { readonly kind?: string; readonly limit?: string };

/** As the admin API has it. */
type Start = {
  readonly id: string;
  readonly functionName: string;
  readonly version: string;
  readonly invoked: boolean;
  readonly timeMs: number;
  readonly kind: string;
  readonly cause: string;
  readonly detail?: string;
  readonly from?: string;
  readonly totalMs: number;
  readonly steps: readonly Step[];
};
type Step = { readonly name: string; readonly atMs: number };

/** `subject`: an id, of which the steps are shown, or a function, of which the latest starts are listed. */
export async function trace(context: Context, subject: string, options: TraceOptions): Promise<void> {
  if (UUID.test(subject)) {
    const start = await context.client.find<Start>({ method: 'GET', path: `/_hearth/starts/${subject}` });
    if (start) return context.out.result(start, () => startText(start, context.out.paint));
    // A function may have a name like this.
    const listed = await listOf(context, subject, options).catch((error: unknown) => {
      if (error instanceof HearthError && error.code === 'ResourceNotFoundException') return undefined;
      throw error;
    });
    if (!listed) throw new HearthError('ResourceNotFoundException', `no start is recorded under ${subject}. ${WHY_NOT}`);
    return show(context, listed, options);
  }
  show(context, await listOf(context, subject, options), options);
}

const UUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i;
const WHY_NOT = 'An invocation is recorded when it has ended, for as long as the log of its function goes back';

async function listOf({ client }: Context, name: string, { kind, limit }: TraceOptions): Promise<readonly Start[]> {
  const path = `/_hearth/functions/${encodeURIComponent(name)}/starts`;
  return (await client.call<{ readonly starts: readonly Start[] }>({ method: 'GET', path, query: { kind, limit } })).starts;
}

function show({ out }: Context, starts: readonly Start[], { kind }: TraceOptions): void {
  out.result(starts, () => {
    if (starts.length === 0) return kind === undefined ? 'No starts yet.' : `No starts of kind ${kind} yet.`;
    const rows = starts.map((start) => [
      new Date(start.timeMs).toISOString(),
      start.kind,
      causeText(start),
      start.totalMs.toFixed(2),
      start.invoked ? start.id : `${start.id} (no invocation)`,
    ]);
    return tableText(['TIME', 'KIND', 'CAUSE', 'TOTAL MS', 'ID'], rows, out.paint.bold);
  });
}

/** Nothing is said of the usual: a fork is one of the template. */
const causeText = ({ cause, from }: Start): string => (from === 'spare' ? `${cause}, had a spare` : cause);

const BAR_LENGTH = 24;

function startText(start: Start, paint: Context['out']['paint']): string {
  const { functionName, version, id, kind, detail, totalMs, timeMs, steps } = start;
  const what = start.invoked ? `invocation ${id}` : `${id}, without an invocation`;
  const head = [
    `${paint.bold(`${functionName}:${version}`)} ${what}`,
    `${paint.bold(kind)}: ${causeText(start)}${detail === undefined ? '' : ` (${detail})`}, ${totalMs.toFixed(2)} ms, ${new Date(timeMs).toISOString()}`,
    '',
  ];
  const rows = steps.map(({ name, atMs }, index) => {
    const tookMs = index === 0 ? undefined : atMs - steps[index - 1]!.atMs;
    return [name, ms(atMs), tookMs === undefined ? ''.padStart(WIDTH) : ms(tookMs), bar(tookMs ?? 0, atMs, totalMs)];
  });
  return [...head, tableText(['STEP', 'AT MS'.padStart(WIDTH), 'TOOK MS'.padStart(WIDTH), ''], rows, paint.bold)].join('\n');
}

const WIDTH = 10;
const ms = (value: number): string => value.toFixed(2).padStart(WIDTH);

/** The share of the whole; what was done before the invocation came has none. */
function bar(tookMs: number, atMs: number, totalMs: number): string {
  const withinMs = Math.min(tookMs, Math.max(0, atMs));
  return totalMs <= 0 ? '' : '#'.repeat(Math.round((withinMs / totalMs) * BAR_LENGTH));
}
