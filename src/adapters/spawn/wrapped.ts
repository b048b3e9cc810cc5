import { existsSync } from 'node:fs';
import type { SandboxSpec } from '../../ports/mod.ts';
import { findCommand, formatHint, invalid } from '../../../runtimes/provided/find.ts';
import { pathsOf } from './function-environment.ts';
import type { PlainError } from './plain-runtime.ts';

/** What starts a runtime that is given by its command line. A path below /opt or /var/task is where that really lies. */
export function wrapped(
  wrapper: string,
  spec: SandboxSpec,
  command: readonly string[],
): { readonly file: string; readonly arguments: readonly string[] } | PlainError {
  const places = pathsOf(wrapper, spec);
  const file = findCommand(places.find(existsSync) ?? places[0] ?? wrapper, spec.environment['PATH']);
  if (typeof file !== 'string') return file;
  // Told before it is tried: Node says of a failure only that there was one.
  const hint = formatHint(file);
  return hint === '' ? { file, arguments: command } : invalid(`fork/exec ${file}: exec format error${hint}`);
}
