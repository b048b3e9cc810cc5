/** What a function that is a WebAssembly module is given: a tag of it, which any other client of the Lambda API can set as well. */
import { HearthError } from '../kernel/mod.ts';
import { parseWasmGrants, WASM_TAG } from '../protocol/mod.ts';
import type { WasmGrants } from '../protocol/mod.ts';
import type { Context } from './context.ts';
import { getConfiguration } from './lambda.ts';
import { getGrant, tagsPath } from './network.ts';

export type WasmGrantOptions = { readonly default?: boolean };

/** Shows the grant, or sets it: to the words given, or back to the default. */
export async function wasmGrant(
  { out, client }: Context,
  name: string,
  options: WasmGrantOptions,
  words: readonly string[],
): Promise<void> {
  if (options.default && words.length > 0)
    throw new HearthError('BadUsage', `either --default or a grant: "${words.join(' ')}" cannot be both`);
  const { FunctionArn, Runtime } = await getConfiguration(client, name);
  if (words.length > 0) {
    if (Runtime !== 'wasm') throw new HearthError('BadUsage', `${name} is no WebAssembly module: its runtime is ${Runtime ?? 'not known'}`);
    await client.send({ method: 'POST', path: tagsPath(FunctionArn), body: { Tags: { [WASM_TAG]: words.join(' ') } } });
  }
  if (options.default) await client.send({ method: 'DELETE', path: tagsPath(FunctionArn), query: { tagKeys: WASM_TAG } });
  const { wasm } = await getGrant(client, FunctionArn);
  out.result({ name, wasm }, () => `${name} is given ${describeWasm(parseWasmGrants(wasm ?? undefined))}`);
}

export function describeWasm({ clock, random, keep, directories }: WasmGrants): string {
  const given = [
    ...directories.map(
      ({ host, guest, writable }) => `${host}${guest === host ? '' : ` as ${guest}`} to ${writable ? 'read and write' : 'read'}`,
    ),
    ...(clock ? ['precise clocks'] : []),
    ...(random ? ['random numbers'] : []),
    ...(keep ? ['an instance that keeps its state'] : []),
  ];
  return given.length === 0 ? 'nothing: no files, clocks to the millisecond, no random numbers' : given.join(', ');
}
