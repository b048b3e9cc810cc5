/** What extensions are told of their environment: events in the form of Lambda's "Telemetry API Event schema reference". */
import type { Subscription, TelemetryDialect, TelemetryType } from './telemetry-subscription.ts';

export type TelemetryEvent = { readonly type: string; readonly record: object | string };

/** As it stands in what is delivered. `time`: epoch milliseconds. */
export const encodeEvent = (time: number, { type, record }: TelemetryEvent): string =>
  JSON.stringify({ time: new Date(time).toISOString(), type, record });

/** By which subscribers' wish it is delivered. */
const typeOf = (event: TelemetryEvent): TelemetryType =>
  event.type === 'function' || event.type === 'extension' ? event.type : 'platform';

/** The event in the words of a subscription; undefined: it is not for it. That records were dropped is told to everybody. */
export function eventFor(event: TelemetryEvent, { dialect, schemaVersion, types }: Subscription): TelemetryEvent | undefined {
  if (!types.includes(typeOf(event)) && event.type !== DROPPED) return undefined;
  if (dialect === 'telemetry') return LOGS_ONLY.has(event.type) ? undefined : event;
  return inLogsWords(event, schemaVersion);
}

export const DROPPED = 'platform.logsDropped';
/** Lines of which the Telemetry API makes members of other events. */
const LOGS_ONLY: ReadonlySet<string> = new Set(['platform.end', 'platform.fault']);
/** What the Logs API tells of in its second version only. */
const SINCE_2021: ReadonlySet<string> = new Set([
  ...['platform.initStart', 'platform.initRuntimeDone', 'platform.initReport', 'platform.runtimeDone'],
]);
/** And what of an event it has. */
const MEMBERS: Readonly<Record<string, readonly string[]>> = {
  'platform.initStart': ['initializationType', 'phase'],
  'platform.initRuntimeDone': ['initializationType', 'phase', 'status'],
  'platform.initReport': ['initializationType', 'phase', 'metrics'],
  'platform.start': ['requestId', 'version'],
  'platform.runtimeDone': ['requestId', 'status'],
  'platform.report': ['requestId', 'metrics'],
};

function inLogsWords({ type, record }: TelemetryEvent, schemaVersion: string): TelemetryEvent | undefined {
  if (SINCE_2021.has(type) && schemaVersion === '2020-08-15') return undefined;
  if (type === 'platform.telemetrySubscription') return { type: 'platform.logsSubscription', record };
  if (typeof record === 'string' || type === 'function' || type === 'extension')
    return { type, record: typeof record === 'string' ? record : JSON.stringify(record) };
  const members = MEMBERS[type];
  if (!members) return { type, record };
  return { type, record: Object.fromEntries(Object.entries(record).filter(([name]) => members.includes(name))) };
}

/** How the function's log tells of a subscription. */
export const subscriptionLine = (dialect: TelemetryDialect, name: string, state: string, types: readonly string[]): string =>
  `${dialect === 'logs' ? 'LOGS' : 'TELEMETRY'}\tName: ${name}\tState: ${state}\tTypes: [${types.map(capitalised).join(', ')}]`;

const capitalised = (word: string): string => word[0]!.toUpperCase() + word.slice(1);
