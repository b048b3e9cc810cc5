/**
 * Checks requests against the constraints of the service model with zod, and says what is wrong in the service's own words:
 * `1 validation error detected: Value '...' at 'functionName' failed to satisfy constraint: Member must ...`.
 */
import { z } from 'zod';
import { HearthError } from '../../kernel/mod.ts';

/** A string that matches a pattern of the service model as a whole. `raw` is what the message shows. */
export function pattern(raw: string, bounds: { readonly min?: number; readonly max?: number } = {}): z.ZodString {
  return text(bounds).regex(new RegExp(`^(?:${raw})$`), raw);
}

export function text({ min, max }: { readonly min?: number; readonly max?: number } = {}): z.ZodString {
  let schema = z.string();
  if (min !== undefined) schema = schema.min(min);
  if (max !== undefined) schema = schema.max(max);
  return schema;
}

/** The value as the schema has it. Throws `SerializationException` for wrong types, `ValidationException` for broken constraints. */
export function check<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const result = schema.safeParse(withoutNulls(value), { reportInput: true });
  if (result.success) return result.data;
  const { issues } = result.error;
  const mistyped = issues.find((issue) => issue.code === 'invalid_type' && issue.input !== undefined);
  if (mistyped?.code === 'invalid_type')
    throw new HearthError(
      'SerializationException',
      `${kindOf(mistyped.input)} can not be converted to ${KIND_NAMES[mistyped.expected] ?? mistyped.expected}`,
    );
  const details = [...new Set(issues.map((issue) => describe(issue, value)))];
  const plural = details.length === 1 ? 'error' : 'errors';
  throw new HearthError('ValidationException', `${details.length} validation ${plural} detected: ${details.join('; ')}`);
}

/** The service treats a null member as an absent one. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value) || value === null || typeof value !== 'object' || value instanceof Uint8Array) return value;
  const members = Object.entries(value).filter(([, member]) => member !== null);
  return Object.fromEntries(members.map(([name, member]) => [name, withoutNulls(member)]));
}

function describe(issue: z.core.$ZodIssue, root: unknown): string {
  const index = issue.path.findIndex((step) => typeof step === 'number');
  if (index >= 0) {
    const path = issue.path.slice(0, index);
    return `${at(valueAt(root, path), path)}Member must satisfy constraint: [${constraint(issue)}]`;
  }
  // Keys and values of the environment may be secret: the service doesn't repeat them.
  if (issue.code === 'invalid_key')
    return `Value at '${wireName(issue.path.slice(0, -1))}' failed to satisfy constraint: Map keys must satisfy constraint: [${issue.issues.map(constraint).join(', ')}]`;
  return at(issue.input, issue.path) + constraint(issue);
}

function at(value: unknown, path: readonly PropertyKey[]): string {
  return `Value ${shown(value)} at '${wireName(path)}' failed to satisfy constraint: `;
}

function constraint(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return 'Member must not be null';
    case 'invalid_format':
      return `Member must satisfy regular expression pattern: ${issue.message}`;
    case 'too_big':
      return `Member must have ${measure(issue.origin)} less than or equal to ${issue.maximum}`;
    case 'too_small':
      return `Member must have ${measure(issue.origin)} greater than or equal to ${issue.minimum}`;
    case 'invalid_value':
      return `Member must satisfy enum value set: [${issue.values.map(String).join(', ')}]`;
    case 'invalid_key':
    case 'invalid_element':
    case 'invalid_union':
    case 'not_multiple_of':
    case 'unrecognized_keys':
    case 'custom':
      return issue.message;
  }
}

const measure = (origin: string): string => (origin === 'string' || origin === 'array' ? 'length' : 'value');

const KIND_NAMES: Readonly<Record<string, string>> = {
  string: 'a String',
  number: 'a Number',
  int: 'an Integer',
  boolean: 'a Boolean',
  array: 'a List',
  object: 'an Object',
  record: 'a Map',
};

/** JSON's own kinds, in the words of the service's parser. */
function kindOf(value: unknown): string {
  if (Array.isArray(value)) return 'ARRAY_VALUE';
  switch (typeof value) {
    case 'string':
      return 'STRING_VALUE';
    case 'number':
      return 'NUMBER_VALUE';
    case 'boolean':
      return value ? 'TRUE_VALUE' : 'FALSE_VALUE';
    default:
      return value === null ? 'NULL_VALUE' : 'STRUCTURE_VALUE';
  }
}

function shown(value: unknown): string {
  if (value === undefined || value === null) return 'null';
  if (Array.isArray(value)) return `'[${value.map(String).join(', ')}]'`;
  return typeof value === 'string' ? `'${value}'` : `'${JSON.stringify(value)}'`;
}

function valueAt(root: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((value, step) => (value === null || typeof value !== 'object' ? undefined : Reflect.get(value, step)), root);
}

/** `Code.ZipFile` is `code.zipFile` in messages. */
function wireName(path: readonly PropertyKey[]): string {
  return path
    .map((step) => String(step))
    .map((step) => step.charAt(0).toLowerCase() + step.slice(1))
    .join('.');
}
