import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { basename, join, relative, resolve } from 'node:path';
import { HearthError } from '../kernel/mod.ts';
import type { Context } from './context.ts';
import { TEMPLATES } from './templates.ts';

/** Writes a new project into the directory `name`, whose last part becomes the function's name. Never writes over anything. */
export async function init({ out, directory }: Context, name: string, options: { readonly template: string }): Promise<void> {
  const target = resolve(directory, name);
  const functionName = basename(target);
  if (!/^[a-zA-Z0-9-_]{1,64}$/.test(functionName)) {
    throw new HearthError('BadUsage', `${JSON.stringify(functionName)} cannot name a function: 1 to 64 letters, digits, - and _`);
  }
  const template = Object.hasOwn(TEMPLATES, options.template) ? TEMPLATES[options.template] : undefined;
  if (!template)
    throw new HearthError('BadUsage', `there is no template ${options.template}: choose one of ${Object.keys(TEMPLATES).join(', ')}`);
  await refuseToOverwrite(target);
  await mkdir(target, { recursive: true });
  const files = template.files(functionName);
  for (const [path, content] of Object.entries(files)) {
    await writeFile(join(target, path), content, { flag: 'wx', mode: content.startsWith('#!') ? 0o755 : 0o644 });
  }
  const shown = relative(directory, target) || '.';
  out.result({ name: functionName, directory: target, files: Object.keys(files) }, () =>
    [
      `${out.paint.bold(functionName)} is in ${shown}: ${Object.keys(files).join(', ')}`,
      out.paint.dim(`next: hearth deploy ${shown}`),
    ].join('\n'),
  );
}

async function refuseToOverwrite(target: string): Promise<void> {
  const names = await readdir(target).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw new HearthError('BadUsage', `${target} cannot be used: ${error.code}`, { cause: error });
  });
  if (names.length > 0) throw new HearthError('BadUsage', `${target} is not empty, and nothing is written over: choose another name`);
}
