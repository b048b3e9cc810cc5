/** `hearth scale`, `hearth provision`: how a function scales, and what of it is there ahead of calls. */
import { setTimeout as sleep } from 'node:timers/promises';
import { HearthError } from '../kernel/mod.ts';
import { durationText } from '../protocol/mod.ts';
import type { Client } from './client.ts';
import type { Context } from './context.ts';
import { getConfiguration } from './lambda.ts';
import { changedScaling, effectiveScaling, putScaling, readScaling, splitQualifier } from './scaling-settings.ts';
import type { Effective, ScaleOptions } from './scaling-settings.ts';
import { tableText } from './text.ts';

/** Shows how NAME, or a version of it, scales; with options, after they are in force. */
export async function scale({ out, client }: Context, target: string, options: ScaleOptions): Promise<void> {
  const { name, qualifier: version = '$LATEST' } = splitQualifier(target);
  const configuration = await getConfiguration(client, name);
  const before = await readScaling(client, configuration, version);
  const after = changedScaling(before, options, configuration.Runtime);
  const changed = await putScaling(client, configuration, { version, before, after });
  const { ReservedConcurrentExecutions: reserved = null } = await client.call<{ ReservedConcurrentExecutions?: number }>({
    method: 'GET',
    path: `/2019-09-30/functions/${encodeURIComponent(name)}/concurrency`,
  });
  const provisioned = await listProvisioned(client, name);
  const scaling = effectiveScaling(after);
  out.result({ name, version, changed, ...scaling, reservedConcurrency: reserved, provisioned: provisioned.map(provisionedResult) }, () => {
    const given = provisioned.map(provisionedResult).map(({ qualifier, requested }) => `${qualifier}: ${requested}`);
    const rows = [
      ...scalingRows(scaling),
      ['reserved concurrency', reserved === null ? 'none' : String(reserved), 'ReservedConcurrentExecutions'],
      ['provisioned', given.join(', ') || 'none', 'ProvisionedConcurrentExecutions'],
    ];
    return tableText([`${name}:${version}`, 'VALUE', 'IN LAMBDA'], rows, out.paint.bold);
  });
}

function scalingRows(scaling: Effective): string[][] {
  const { minInstances, maxInstances, concurrency, targetUtilisation, scaleDownDelayMs, burstMultiple, queueDepth, queueAgeMs } = scaling;
  return [
    ['concurrency', String(concurrency), 'PerExecutionEnvironmentMaxConcurrency'],
    ['min instances', String(minInstances), 'MinExecutionEnvironments'],
    ['max instances', maxInstances === null ? 'no limit' : String(maxInstances), 'MaxExecutionEnvironments'],
    ['target utilisation', String(targetUtilisation), ''],
    ['scale-down delay', scaleDownDelayMs === null ? 'as the platform' : durationText(scaleDownDelayMs), ''],
    ['burst multiple', String(burstMultiple), ''],
    ['queue depth', String(queueDepth), ''],
    ['queue age', durationText(queueAgeMs ?? 0), ''],
    ['class', scaling.class, ''],
    ['labels', scaling.labels.join(' ') || 'none', ''],
  ];
}

type ProvisionedConfig = {
  readonly FunctionArn?: string;
  readonly RequestedProvisionedConcurrentExecutions: number;
  readonly AvailableProvisionedConcurrentExecutions: number;
  readonly AllocatedProvisionedConcurrentExecutions: number;
  readonly Status: 'IN_PROGRESS' | 'READY' | 'FAILED';
  readonly StatusReason?: string;
};

const provisionedPath = (name: string): string => `/2019-09-30/functions/${encodeURIComponent(name)}/provisioned-concurrency`;

export async function listProvisioned(client: Client, name: string): Promise<readonly ProvisionedConfig[]> {
  const all: ProvisionedConfig[] = [];
  let marker: string | undefined;
  do {
    const page = await client.call<{ ProvisionedConcurrencyConfigs: readonly ProvisionedConfig[]; NextMarker?: string }>({
      method: 'GET',
      path: provisionedPath(name),
      query: { List: 'ALL', Marker: marker },
    });
    all.push(...page.ProvisionedConcurrencyConfigs);
    marker = page.NextMarker;
  } while (marker);
  return all;
}

function provisionedResult(config: ProvisionedConfig) {
  return {
    qualifier: config.FunctionArn?.split(':')[7] ?? '',
    requested: config.RequestedProvisionedConcurrentExecutions,
    available: config.AvailableProvisionedConcurrentExecutions,
    allocated: config.AllocatedProvisionedConcurrentExecutions,
    status: config.Status,
    reason: config.StatusReason ?? null,
  };
}

export type ProvisionOptions = { readonly delete?: boolean; readonly wait: boolean };

/** NAME alone lists what there is; NAME:QUALIFIER shows its own, gives it `count`, or takes it back. Returns the exit code. */
export async function provision({ out, client }: Context, target: string, options: ProvisionOptions, count?: string): Promise<number> {
  const { name, qualifier } = splitQualifier(target);
  if (qualifier === undefined) return list({ out, client }, name, options, count);
  if (options.delete && count !== undefined) throw new HearthError('BadUsage', `either --delete or a number: ${count} cannot be both`);
  const request = { path: provisionedPath(name), query: { Qualifier: qualifier } };
  if (options.delete) {
    await client.send({ method: 'DELETE', ...request });
    out.result({ name, qualifier, requested: 0 }, () => `${name}:${qualifier} has nothing provisioned`);
    return 0;
  }
  if (count !== undefined && !/^[1-9]\d{0,8}$/.test(count)) throw new HearthError('BadUsage', `${count}: give a whole number from 1 on`);
  if (count !== undefined) await client.send({ method: 'PUT', ...request, body: { ProvisionedConcurrentExecutions: Number(count) } });
  const read = () => client.call<ProvisionedConfig>({ method: 'GET', ...request });
  const found = await out.progress(`provisioning ${target}`, count !== undefined && options.wait ? settled(read) : read());
  const result = { ...provisionedResult(found), qualifier };
  out.result({ name, ...result }, () => `${name}:${qualifier} ${statusText(result)}`);
  return result.status === 'FAILED' ? 1 : 0;
}

async function list(
  { out, client }: Pick<Context, 'out' | 'client'>,
  name: string,
  options: ProvisionOptions,
  count: string | undefined,
): Promise<number> {
  if (count !== undefined || options.delete)
    throw new HearthError(
      'BadUsage',
      `name a version or an alias: ${name}:live. $LATEST has no provisioned concurrency; it can have --min instances`,
    );
  const all = (await listProvisioned(client, name)).map(provisionedResult);
  out.result(all, () =>
    all.length === 0 ? `${name} has nothing provisioned` : all.map((each) => `${name}:${each.qualifier} ${statusText(each)}`).join('\n'),
  );
  return 0;
}

const statusText = ({ requested, available, status, reason }: ReturnType<typeof provisionedResult>): string =>
  `${status}: ${available} of ${requested} are there${reason === null ? '' : `. ${reason}`}`;

const SETTLE_WITHIN_MS = 60_000;
const POLL_MS = 50;

async function settled(read: () => Promise<ProvisionedConfig>): Promise<ProvisionedConfig> {
  const endMs = performance.now() + SETTLE_WITHIN_MS;
  for (;;) {
    const found = await read();
    if (found.Status !== 'IN_PROGRESS' || performance.now() > endMs) return found;
    await sleep(POLL_MS);
  }
}
