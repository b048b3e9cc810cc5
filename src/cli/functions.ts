import { readFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { HearthError } from '../kernel/mod.ts';
import { blockerText, parseWasmGrants } from '../protocol/mod.ts';
import type { Context } from './context.ts';
import { EXIT } from './exit-codes.ts';
import { findUrl, functionPath, getConfiguration, listFunctions, urlPath } from './lambda.ts';
import type { FunctionConfiguration, UrlConfig } from './lambda.ts';
import { getGrant } from './network.ts';
import { readScaling, scalingSummary } from './scaling-settings.ts';
import { describeWasm } from './wasm.ts';
import { bytesText, tableText } from './text.ts';

export type ValuesOptions = { readonly showValues?: boolean };

export async function list({ out, client }: Context, { showValues }: ValuesOptions): Promise<void> {
  const functions = await listFunctions(client);
  out.result(showValues ? functions : functions.map(withoutValues), () => {
    if (functions.length === 0) return 'No functions yet: "hearth init NAME", then "hearth deploy NAME".';
    const rows = functions.map((f) => [
      f.FunctionName,
      f.Runtime ?? f.PackageType?.toLowerCase() ?? '',
      `${f.MemorySize} MiB`,
      `${f.Timeout} s`,
      bytesText(f.CodeSize),
      f.LastModified.slice(0, 19),
    ]);
    return tableText(['NAME', 'RUNTIME', 'MEMORY', 'TIMEOUT', 'CODE', 'MODIFIED'], rows, out.paint.bold);
  });
}

const FIELD_WIDTH = 11;
/** Between the lines of a field that has several. */
const LIST = `\n${' '.repeat(FIELD_WIDTH + 3)}`;

export async function get({ out, client }: Context, name: string, { showValues }: ValuesOptions): Promise<void> {
  const configuration = await getConfiguration(client, name);
  const url = await findUrl(client, name);
  const grant = await getGrant(client, configuration.FunctionArn);
  const scaling = scalingSummary(await readScaling(client, configuration, '$LATEST'));
  const isWasm = configuration.Runtime === 'wasm';
  const shown = showValues ? configuration : withoutValues(configuration);
  out.result(
    { ...shown, Url: url ?? null, Network: grant.network, Api: grant.api, Scaling: scaling ?? null, ...(isWasm && { Wasm: grant.wasm }) },
    () => {
      const fields: readonly (readonly [string, string | undefined])[] = [
        ['arn', configuration.FunctionArn],
        [
          'state',
          configuration.StateReason && configuration.State !== 'Active'
            ? `${configuration.State}: ${configuration.StateReason}`
            : configuration.State,
        ],
        ['runtime', configuration.Runtime ?? configuration.PackageType?.toLowerCase()],
        ['handler', configuration.Handler],
        ['memory', `${configuration.MemorySize} MiB`],
        ['timeout', `${configuration.Timeout} s`],
        ['code', `${bytesText(configuration.CodeSize)}, SHA-256 ${configuration.CodeSha256}`],
        ['layers', configuration.Layers?.map(({ Arn, CodeSize }) => `${Arn} (${bytesText(CodeSize)})`).join(LIST)],
        ['environment', environmentText(configuration, showValues)],
        ['network', grant.network ?? 'public'],
        ['api', grant.api],
        ['wasm', isWasm ? `given ${describeWasm(parseWasmGrants(grant.wasm ?? undefined))}` : undefined],
        ['scaling', scaling],
        ['snapshot', snapshotLines(configuration)],
        ['modified', configuration.LastModified],
        ['url', url && `${url.FunctionUrl} (${url.AuthType}, ${url.InvokeMode ?? 'BUFFERED'})`],
      ];
      const lines = fields
        .filter(([, value]) => value !== undefined)
        .map(([key, value]) => `  ${out.paint.dim(key.padEnd(FIELD_WIDTH))} ${value}`);
      return [out.paint.bold(configuration.FunctionName), ...lines].join('\n');
    },
  );
}

/** Names in place of the variables. */
function withoutValues({ Environment, ...configuration }: FunctionConfiguration): object {
  if (!Environment?.Variables) return { ...configuration, ...(Environment && { Environment }) };
  return { ...configuration, Environment: { Names: Object.keys(Environment.Variables) } };
}

function environmentText({ Environment }: FunctionConfiguration, showValues = false): string | undefined {
  if (Environment?.Error) return `cannot be opened: ${Environment.Error.Message}`;
  const variables = Object.entries(Environment?.Variables ?? {});
  if (!showValues) return variables.map(([name]) => name).join(', ') || undefined;
  return variables.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(', ') || undefined;
}

/** How instances come to be, in plain words, and what to do where init can't be shared. */
function snapshotLines({ Snapshot: snapshot, State: state }: FunctionConfiguration): string | undefined {
  if (!snapshot) return state === 'Active' ? 'not known before init has run: invoke it once' : undefined;
  const indent = `\n${' '.repeat(FIELD_WIDTH + 3)}`;
  const blockers = snapshot.Blockers.map((b) =>
    blockerText({ kind: b.Kind, detail: b.Detail, ...(b.Place !== undefined && { place: b.Place }) }),
  );
  const list = blockers.map((text) => `${indent}- ${text}`).join('');
  if (snapshot.Forks && list === '') return 'instances are forked from one init';
  if (snapshot.Forks) return `instances are forked, as SnapStart says, without what init leaves open:${list}`;
  if (list === '') return 'each instance runs init by itself';
  return `each instance runs init by itself, since init leaves open:${list}${indent}See docs/snapshots.md for what to do about it.`;
}

export async function remove({ out, client }: Context, name: string): Promise<void> {
  await client.send({ method: 'DELETE', path: functionPath(name) });
  out.result({ deleted: name }, () => `${name} deleted`);
}

export type UrlOptions = { readonly create?: boolean; readonly delete?: boolean; readonly auth: string };

export async function url({ out, client }: Context, name: string, options: UrlOptions): Promise<void> {
  const path = urlPath(name);
  if (options.delete) {
    await client.send({ method: 'DELETE', path });
    return out.result({ deleted: true }, () => `${name} has no URL any more`);
  }
  const found = await findUrl(client, name);
  if (!found && !options.create)
    throw new HearthError('ResourceNotFoundException', `${name} has no URL, or is not there; --create makes one`);
  const config = found ?? (await client.call<UrlConfig>({ method: 'POST', path, body: { AuthType: options.auth } }));
  out.result(config, () => config.FunctionUrl);
}

export type InvokeOptions = { readonly payload?: string; readonly tail?: boolean; readonly qualifier?: string };

/** Prints what the function answered. Returns the exit code: 4 when the function itself failed. */
export async function invoke({ out, client }: Context, name: string, options: InvokeOptions): Promise<number> {
  const body = await readPayload(options.payload ?? '{}');
  const headers = options.tail ? { 'x-amz-log-type': 'Tail' } : {};
  const request = {
    method: 'POST',
    path: functionPath(name, '/invocations'),
    query: { Qualifier: options.qualifier },
    body,
    headers,
  } as const;
  const response = await out.progress(`invoking ${name}`, client.send(request));
  const answer = await response.text();
  const functionError = response.headers.get('x-amz-function-error');
  const log = Buffer.from(response.headers.get('x-amz-log-result') ?? '', 'base64').toString('utf8');
  if (out.json) {
    const requestId = response.headers.get('x-amzn-requestid');
    out.result(
      { statusCode: response.status, functionError, requestId, payload: jsonOrText(answer), ...(options.tail && { log }) },
      () => '',
    );
  } else {
    if (log !== '') process.stderr.write(`${log.trimEnd()}\n`);
    out.raw(`${answer}\n`);
    if (functionError !== null) out.note(out.paint.red(`${name} failed: ${describeError(answer)}`));
  }
  return functionError === null ? EXIT.ok : EXIT.functionError;
}

/** The text itself, `@FILE`, or `-` for stdin. Must be JSON, which the platform checks. */
async function readPayload(payload: string): Promise<Uint8Array> {
  if (payload === '-') return buffer(process.stdin);
  if (!payload.startsWith('@')) return Buffer.from(payload);
  return readFile(payload.slice(1)).catch((error: NodeJS.ErrnoException) => {
    throw new HearthError('BadUsage', `the payload file ${payload.slice(1)} cannot be read: ${error.code}`, { cause: error });
  });
}

function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    // A streaming function may answer with anything.
    if (error instanceof SyntaxError) return text;
    throw error;
  }
}

function describeError(answer: string): string {
  const error = jsonOrText(answer);
  if (typeof error !== 'object' || error === null) return answer;
  const { errorType = 'Error', errorMessage = '' } = error as { errorType?: string; errorMessage?: string };
  return `${errorType}: ${errorMessage}`;
}
