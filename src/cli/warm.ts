/** `hearth warm`: schedules by which instances are there ahead of calls, and why a function is or isn't kept now. */
import { HearthError } from '../kernel/mod.ts';
import { durationText, parseDuration, parseWarmTags, SCHEDULE_DEFAULTS, WARM_TAG_PREFIX, warmTagText } from '../protocol/mod.ts';
import type { PolicyWarmth, ScheduleReport, VersionWarmth, WarmReport, WarmTag } from '../protocol/mod.ts';
import type { Context } from './context.ts';
import { getConfiguration } from './lambda.ts';
import { tagsPath } from './network.ts';
import { splitQualifier } from './scaling-settings.ts';
import { tableText } from './text.ts';

export type ScheduleOptions = {
  readonly cron?: string;
  readonly for?: string;
  readonly instances?: string;
  readonly timezone?: string;
  readonly id?: string;
  readonly delete?: string;
};

/** Lists the schedules of a function; with --cron after one was added, or changed, with --delete after one was taken away. */
export async function schedule({ out, client }: Context, target: string, options: ScheduleOptions): Promise<void> {
  const { name, qualifier = SCHEDULE_DEFAULTS.qualifier } = splitQualifier(target);
  const query = { ...(qualifier !== SCHEDULE_DEFAULTS.qualifier && { Qualifier: qualifier }) };
  const { FunctionArn } = await client.call<{ FunctionArn: string }>({
    method: 'GET',
    path: `/2015-03-31/functions/${encodeURIComponent(name)}/configuration`,
    query,
  });
  const path = tagsPath(FunctionArn.split(':').slice(0, 7).join(':'));
  const read = async () =>
    parseWarmTags((await client.call<{ Tags?: Readonly<Record<string, string>> }>({ method: 'GET', path })).Tags ?? {});
  if (options.delete !== undefined) {
    if (!(await read()).some(({ id }) => id === options.delete))
      throw new HearthError(
        'ResourceNotFoundException',
        `${name} has no schedule ${options.delete}; "hearth warm schedule ${name}" lists them`,
      );
    await client.send({ method: 'DELETE', path, query: { tagKeys: `${WARM_TAG_PREFIX}${options.delete}` } });
  }
  if (options.cron !== undefined) {
    const tag = tagOf(options, qualifier, options.cron, await read());
    await client.send({ method: 'POST', path, body: { Tags: { [`${WARM_TAG_PREFIX}${tag.id}`]: warmTagText(tag) } } });
  } else if (options.delete === undefined && Object.keys(options).some((key) => key === 'for' || key === 'instances'))
    throw new HearthError('BadUsage', "--for and --instances go with --cron 'cron(0 8 ? * MON-FRI *)'");
  const all = await read();
  out.result(all, () => (all.length === 0 ? `${name} has no schedules` : schedulesTable(all, out.paint.bold)));
}

/** Throws what the platform would, before it is asked; whether the expression is a schedule the platform says. */
function tagOf(options: ScheduleOptions, qualifier: string, expression: string, known: readonly WarmTag[]): WarmTag {
  if (options.for === undefined || options.instances === undefined)
    throw new HearthError('BadUsage', '--cron goes with --for, such as 10h, and --instances');
  const tag = {
    id: options.id ?? freeId(known),
    expression,
    timezone: options.timezone ?? SCHEDULE_DEFAULTS.timezone,
    forMs: parseDuration(options.for) ?? 0,
    instances: Number(options.instances),
    qualifier,
  };
  parseWarmTags({ [`${WARM_TAG_PREFIX}${tag.id}`]: warmTagText(tag) });
  return tag;
}

function freeId(known: readonly WarmTag[]): string {
  let number = 1;
  while (known.some(({ id }) => id === `s${number}`)) number++;
  return `s${number}`;
}

function schedulesTable(all: readonly WarmTag[], style: (text: string) => string): string {
  const rows = all.map((each) => [
    each.id,
    each.expression,
    each.timezone,
    durationText(each.forMs),
    String(each.instances),
    each.qualifier,
  ]);
  return tableText(['ID', 'SCHEDULE', 'TIME ZONE', 'FOR', 'INSTANCES', 'OF'], rows, style);
}

export async function explain({ out, client }: Context, name: string): Promise<void> {
  await getConfiguration(client, name);
  const report = await client.call<WarmReport>({ method: 'GET', path: `/_hearth/functions/${encodeURIComponent(name)}/warm` });
  out.result(report, () => {
    const versions = report.versions.map((each) => versionText(name, each, out.paint));
    const schedules = report.schedules.map((each) => scheduleText(each));
    return [...versions, ...(schedules.length > 0 ? [[out.paint.bold('schedules'), ...schedules].join('\n')] : [])].join('\n\n');
  });
}

function versionText(name: string, each: VersionWarmth, paint: Context['out']['paint']): string {
  const { idle, busy, queued } = each.instances;
  const reasons = Object.entries(each.because).filter(([, count]) => count > 0);
  const why =
    reasons.length === 0 ? 'nothing asks for instances ahead of calls' : reasons.map(([what, count]) => `${what} ${count}`).join(', ');
  const lines = [
    paint.bold(`${name}:${each.version}${each.aliases.length > 0 ? ` (${each.aliases.join(', ')})` : ''}`),
    `  kept        ${each.wanted}: ${why}`,
    `  instances   ${idle} idle, ${busy} busy; ${queued} waiting for one`,
    `  holds       at most ${each.heldMiB} MiB, ${each.memoryMiB} MiB each`,
    ...(each.because.provisioned > 0
      ? [`  provisioned ${each.provisionedInvocations} invocations on what was provisioned, ${each.spilloverInvocations} beyond`]
      : []),
    ...(each.failure === null ? [] : [`  missing     ${each.failure}`]),
    ...policyLines(each.policy),
  ];
  const starts = Object.entries(each.starts).filter(([, count]) => count > 0);
  const counts = starts.map(([kind, count]) => `  ${kind.padEnd(11)} ${count}: ${causesText(each.causes[kind] ?? {})}`);
  return [...lines, ...(counts.length > 0 ? counts : ['  starts      none yet'])].join('\n');
}

function policyLines(policy: PolicyWarmth | null): string[] {
  if (!policy) return ['  policy      nothing is known of it: it was never called'];
  const { next, plan, instanceMiB, templateMiB, instanceSavesMs, templateSavesMs } = policy;
  const template = templateMiB === null ? '' : `, the template ${templateMiB} MiB and saves ${templateSavesMs} ms`;
  return [
    `  policy      ${policy.name}: ${policy.reason}`,
    `  next call   ${next ? `${timeText(next.medianMs)} or sooner, as likely as not; one time in ten by ${timeText(next.p10Ms)}, nine in ten by ${timeText(next.p90Ms)}` : 'not known'}`,
    `  costs       an instance takes ${instanceMiB} MiB and saves ${instanceSavesMs} ms${template}`,
    `  held now    ${policy.held === 'nothing' ? 'nothing' : `${policy.held}, ${policy.heldMiB} MiB`}`,
    `  plan        ${plan.length === 0 ? 'it is at work' : plan.map(({ atMs, rung }, i) => (i === 0 ? `${rung} now` : `${rung} from ${timeText(atMs)}`)).join(', ')}`,
  ];
}

const timeText = (ms: number | null): string =>
  ms === null ? 'a time later than is looked ahead' : `${new Date(ms).toISOString().slice(0, 19)}Z`;

const causesText = (causes: Readonly<Record<string, number>>): string =>
  Object.entries(causes)
    .sort(([, a], [, b]) => b - a)
    .map(([cause, count]) => `${cause} ${count}`)
    .join(', ');

function scheduleText({ id, expression, timezone, forMs, instances, qualifier, known, open, changesMs }: ScheduleReport): string {
  const when = changesMs === null ? 'never again' : new Date(changesMs).toISOString();
  const state = !known ? `${qualifier} leads nowhere` : open ? `open until ${when}` : `opens ${when}`;
  return `  ${id}: ${expression} ${timezone}, for ${durationText(forMs)}, ${instances} of ${qualifier}: ${state}`;
}
