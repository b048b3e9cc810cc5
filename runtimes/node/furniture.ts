/** What a sandbox has of this runtime in its files. */
import { writeFileSync } from 'node:fs';
import { bindReadOnly } from '../ladder/isolate.ts';
import { placeRehearsal } from './rehearse-init.ts';

/** Where Lambda has it. */
export const NODE_INSIDE = '/var/lang/bin/node';

/** In the root that is being built, at `root`. */
export function furnish(root: string): void {
  placeRehearsal(root);
  writeFileSync(`${root}${NODE_INSIDE}`, '', { mode: 0o555 });
  bindReadOnly(process.execPath, `${root}${NODE_INSIDE}`);
}
