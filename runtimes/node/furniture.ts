/** What a sandbox has of this runtime in its files. */
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { bindReadOnly } from '../ladder/isolate.ts';
import { RUNTIME_FILES } from '../ladder/orders.ts';
import type { Furniture, Guest } from '../ladder/orders.ts';
import { NODE_INSIDE } from './places.ts';
import { placeRehearsal } from './rehearse-init.ts';

/** In the root that is being built, at `root`. */
export function furnish(root: string): void {
  placeRehearsal(root);
  writeFileSync(`${root}${NODE_INSIDE}`, '', { mode: 0o555 });
  bindReadOnly(process.execPath, `${root}${NODE_INSIDE}`);
}

/** The same, and what a runtime needs that is started there as a program. */
export function furnishWrapped(root: string, wrapped: Furniture): void {
  furnish(root);
  furnishGuest(root, wrapped);
  mkdirSync(`${root}${RUNTIME_FILES}`, { mode: 0o755 });
  bindReadOnly(wrapped.files, `${root}${RUNTIME_FILES}`);
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
