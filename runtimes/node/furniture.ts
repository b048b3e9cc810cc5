/** What a sandbox has of this runtime in its files. */
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { bindReadOnly } from '../ladder/isolate.ts';
import type { Guest } from '../ladder/orders.ts';
import { placeRehearsal } from './rehearse-init.ts';

/** Where Lambda has it. */
export const NODE_INSIDE = '/var/lang/bin/node';

/** In the root that is being built, at `root`. */
export function furnish(root: string): void {
  placeRehearsal(root);
  writeFileSync(`${root}${NODE_INSIDE}`, '', { mode: 0o555 });
  bindReadOnly(process.execPath, `${root}${NODE_INSIDE}`);
}

/** The same for a template of another runtime, which has no need of this one's. */
export function furnishGuest(root: string, { shown, links }: Guest): void {
  for (const path of shown) {
    if (existsSync(`${root}${path}`)) continue;
    mkdirSync(`${root}${path}`, { recursive: true, mode: 0o755 });
    bindReadOnly(path, `${root}${path}`);
  }
  for (const [path, target] of Object.entries(links)) symlinkSync(target, `${root}${path}`);
}
