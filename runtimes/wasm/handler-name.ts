/** Which file of the package, and which export of it, a handler string names: `FILE`, or `FILE:EXPORT`; two names stand for each other. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { LoadError } from './errors.ts';

export type Named = { readonly path: string; readonly file: string; readonly entry: string | undefined };

const DEFAULTS = ['module.wasm', 'main.wasm'];
/** The name of a module with this behind it is the directory with what the host has made of a component. */
const TRANSLATED = '.translated';

/** Where a component has been translated to; undefined: components of that name are not. A directory elsewhere is anybody's. */
export const translatedTo = ({ path, file }: Named): string | undefined => (DEFAULTS.includes(file) ? `${path}${TRANSLATED}` : undefined);

/** Throws LoadError. */
export function findModule(taskRoot: string, handler: string): Named {
  const [name = '', entry, ...more] = handler.split(':');
  if (more.length > 0 || entry === '')
    throw new LoadError('MalformedHandlerName', `'${handler}' is no handler: write FILE, or FILE:EXPORT`);
  if (name.startsWith('/') || name.split('/').includes('..'))
    throw new LoadError(
      'MalformedHandlerName',
      `'${handler}' is no handler: its file lies in the package, so its path begins there and has no ..`,
    );
  const candidates = name === '' || DEFAULTS.includes(name) ? DEFAULTS : [name, `${name}.wasm`];
  const file = candidates.find((candidate) => isFile(join(taskRoot, candidate))) ?? onlyModule(taskRoot);
  if (file !== undefined) return { path: join(taskRoot, file), file, entry };
  throw new LoadError('ImportModuleError', `No module ${candidates.join(' or ')} in the package${whatIsThere(taskRoot)}`);
}

/** A module that was uploaded by itself is the function, whatever its file is called. */
function onlyModule(taskRoot: string): string | undefined {
  const names = existsSync(taskRoot) ? readdirSync(taskRoot).filter((name) => name !== `${DEFAULTS[0]}${TRANSLATED}`) : [];
  return names.length === 1 && names[0] === DEFAULTS[0] ? DEFAULTS[0] : undefined;
}

const isFile = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() === true;

const MOST_SHOWN = 5;

function whatIsThere(taskRoot: string): string {
  const names = existsSync(taskRoot) ? readdirSync(taskRoot).filter((name) => name.endsWith('.wasm')) : [];
  return names.length === 0 ? ', nor any other .wasm at its top' : `; there is ${names.slice(0, MOST_SHOWN).join(', ')}`;
}
