import { HearthError, lowerAlphanumericId } from '../kernel/mod.ts';
import type { Functions } from './functions.ts';
import type { Cors, InvokeMode, UrlAuthType, UrlRecord } from './records.ts';
import type { FunctionEntry, UrlEntry } from './table.ts';

export const URL_ID_LENGTH = 32;

export type UrlTarget = { readonly name: string; readonly qualifier?: string };

/** Gives a function, or an alias of it, an HTTP address. Throws `ResourceConflictException`, `ResourceNotFoundException`. */
export function createUrl(
  functions: Functions,
  target: UrlTarget,
  input: { readonly authType: UrlAuthType; readonly invokeMode?: InvokeMode; readonly cors?: Cors },
): Promise<UrlEntry> {
  if (!functions.table.byName.has(target.name)) throw new HearthError('ResourceNotFoundException', 'Function does not exist');
  return functions.change(target.name, (entry) => {
    const qualifier = target.qualifier ?? '$LATEST';
    if (target.qualifier !== undefined && !entry.aliases.has(target.qualifier))
      throw new HearthError('ResourceNotFoundException', `Function not found: ${entry.arn}:${target.qualifier}`);
    if (findUrl(entry, qualifier))
      throw new HearthError(
        'ResourceConflictException',
        `Failed to create function url config for [functionArn = ${entry.arn}]. Error message:  FunctionUrlConfig exists for this Lambda function`,
      );
    const now = functions.clock.now();
    const url: UrlRecord = {
      urlId: lowerAlphanumericId(functions.random, URL_ID_LENGTH),
      qualifier,
      authType: input.authType,
      invokeMode: input.invokeMode ?? 'BUFFERED',
      ...(input.cors && { cors: input.cors }),
      createdMs: now,
      modifiedMs: now,
    };
    return { record: { ...entry.record, urls: [...entry.record.urls, url] }, result: (now) => ({ entry: now!, url }) };
  });
}

/** What is left out stays as it is; `cors` is replaced as a whole. */
export function updateUrl(
  functions: Functions,
  target: UrlTarget,
  input: { readonly authType?: UrlAuthType; readonly invokeMode?: InvokeMode; readonly cors?: Cors },
): Promise<UrlEntry> {
  getUrl(functions, target);
  return functions.change(target.name, (entry) => {
    const before = urlOf(entry, target.qualifier);
    const given = Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined));
    const url: UrlRecord = { ...before, ...given, modifiedMs: functions.clock.now() };
    const urls = entry.record.urls.map((u) => (u.urlId === url.urlId ? url : u));
    return { record: { ...entry.record, urls }, result: (now) => ({ entry: now!, url }) };
  });
}

export function deleteUrl(functions: Functions, target: UrlTarget): Promise<void> {
  getUrl(functions, target);
  return functions.change(target.name, (entry) => {
    const url = urlOf(entry, target.qualifier);
    const urls = entry.record.urls.filter((u) => u.urlId !== url.urlId);
    return { record: { ...entry.record, urls }, result: () => undefined };
  });
}

export function getUrl(functions: Functions, target: UrlTarget): UrlEntry {
  const entry = functions.table.byName.get(target.name);
  if (!entry) throw noUrl();
  return { entry, url: urlOf(entry, target.qualifier) };
}

function urlOf(entry: FunctionEntry, qualifier: string | undefined): UrlRecord {
  const url = findUrl(entry, qualifier ?? '$LATEST');
  if (!url) throw noUrl();
  return url;
}

function findUrl(entry: FunctionEntry, qualifier: string): UrlRecord | undefined {
  return entry.record.urls.find((url) => url.qualifier === qualifier);
}

function noUrl(): HearthError {
  return new HearthError('ResourceNotFoundException', 'The resource you requested does not exist.');
}
