/** What operations read from requests in the same way. */
import { z } from 'zod';
import { parseFunctionReference } from '../../control/mod.ts';
import type { FunctionReference } from '../../control/mod.ts';
import { HearthError } from '../../kernel/mod.ts';
import type { ApiContext, ApiRequest } from './operation.ts';
import { FunctionName, ListLimit, Qualifier } from './patterns.ts';
import { check } from './validation.ts';

/** Lambda answers with at most 50 items, however many are asked for. */
const PAGE_ITEMS = 50;

/** The function that a path and the query's Qualifier name. */
export function target(
  { params, query }: ApiRequest,
  { functions }: ApiContext,
  nameSchema: z.ZodString,
  qualifierSchema: z.ZodString = Qualifier,
): FunctionReference {
  const schema = z.object({ FunctionName: nameSchema, Qualifier: qualifierSchema.optional() });
  const { FunctionName, Qualifier: qualifier } = check(schema, { FunctionName: params['FunctionName'], Qualifier: query.get('Qualifier') });
  return parseFunctionReference(FunctionName, functions.realm, qualifier);
}

/** The name of a function as a whole: of operations that change it, and can only mean `$LATEST`. */
export function wholeFunction({ params }: ApiRequest, { functions }: ApiContext): string {
  const given = check(z.object({ FunctionName }), { FunctionName: params['FunctionName'] }).FunctionName;
  const { name, qualifier } = parseFunctionReference(given, functions.realm);
  if (qualifier !== undefined && qualifier !== '$LATEST')
    throw new HearthError(
      'InvalidParameterValueException',
      `This operation is about the function as a whole. Leave out the qualifier '${qualifier}'.`,
    );
  return name;
}

/** A page of items with ascending ids, after the query's Marker, and what asks for the next one. */
export function page<T>(
  query: URLSearchParams,
  items: readonly T[],
  idOf: (item: T) => string,
  limitSchema: z.ZodType<number> = ListLimit,
): { items: readonly T[]; next: { NextMarker?: string } } {
  const asked = query.get('MaxItems');
  const { MaxItems } = check(z.object({ MaxItems: limitSchema.optional() }), { MaxItems: asked === null ? undefined : numberOf(asked) });
  const marker = query.get('Marker');
  const begin = marker ? after(items, idOf, readMarker(marker)) : 0;
  const end = begin + Math.min(MaxItems ?? PAGE_ITEMS, PAGE_ITEMS);
  const found = items.slice(begin, end);
  return { items: found, next: end < items.length ? { NextMarker: writeMarker(idOf(found.at(-1)!)) } : {} };
}

export function numberOf(text: string): number {
  if (!/^-?\d{1,15}$/.test(text)) throw new HearthError('SerializationException', 'STRING_VALUE can not be converted to an Integer');
  return Number(text);
}

/** The item of the marker may be gone by now: the page begins after where it was, or would be. */
function after<T>(items: readonly T[], idOf: (item: T) => string, id: string): number {
  const at = items.findIndex((item) => idOf(item) === id);
  if (at >= 0) return at + 1;
  const next = items.findIndex((item) => idOf(item) > id);
  return next < 0 ? items.length : next;
}

const writeMarker = (id: string): string => Buffer.from(JSON.stringify([id])).toString('base64url');

function readMarker(marker: string): string {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(marker, 'base64url').toString());
    if (Array.isArray(parsed) && typeof parsed[0] === 'string') return parsed[0];
  } catch (cause) {
    throw invalidMarker(cause);
  }
  throw invalidMarker(undefined);
}

function invalidMarker(cause: unknown): HearthError {
  return new HearthError(
    'InvalidParameterValueException',
    'The Marker is not one that this Hearth gave. Use the NextMarker of the page before.',
    { cause },
  );
}
