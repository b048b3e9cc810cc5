/** What an image's configuration says about starting it, as a typed value. */
import { resolve } from 'node:path/posix';
import type { ConfigDocument } from './documents.ts';
import { invalid, quote } from './errors.ts';
import type { ExposedPort, ImageConfig } from './image.ts';
import type { Architecture } from './platform.ts';

/** Throws HearthError `ImageInvalid`. */
export function configOf({ config }: ConfigDocument, architecture: Architecture): ImageConfig {
  return {
    architecture,
    entrypoint: argumentsOf(config?.Entrypoint, 'Entrypoint'),
    command: argumentsOf(config?.Cmd, 'Cmd'),
    environment: environmentOf(config?.Env ?? []),
    workingDirectory: resolve('/', withoutZero(config?.WorkingDir ?? '', 'WorkingDir')),
    exposedPorts: Object.keys(config?.ExposedPorts ?? {}).map(portOf),
  };
}

const argumentsOf = (list: readonly string[] | null | undefined, field: string) => (list ?? []).map((each) => withoutZero(each, field));

/** Of a name that occurs twice the last counts, as in a shell. */
function environmentOf(list: readonly string[]): Readonly<Record<string, string>> {
  const pairs = list.map((each): [string, string] => {
    const equals = each.indexOf('=');
    if (equals < 1) throw invalid(`${quote(each)} in Env is not NAME=VALUE`);
    return [each.slice(0, equals), withoutZero(each.slice(equals + 1), 'Env')];
  });
  return Object.fromEntries(pairs);
}

function portOf(text: string): ExposedPort {
  const [, digits, protocol = 'tcp'] = /^(\d{1,5})(?:\/(tcp|udp|sctp))?$/.exec(text) ?? [];
  const port = Number(digits);
  if (digits === undefined || port < 1 || port > 65_535) throw invalid(`${quote(text)} in ExposedPorts is not PORT/PROTOCOL`);
  return { port, protocol: protocol as ExposedPort['protocol'] };
}

function withoutZero(text: string, field: string): string {
  if (text.includes('\0')) throw invalid(`${field} contains a zero byte`);
  return text;
}
