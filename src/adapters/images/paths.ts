/** Paths in a layer: relative, slash-separated, '' for the root. */
import { dirname } from 'node:path/posix';

export const parentOf = (path: string): string => (path.includes('/') ? dirname(path) : '');

export const childOf = (path: string, name: string): string => (path === '' ? name : `${path}/${name}`);

/** Adds a path and all above it. `check` is called for each that is new, and throws when there are too many: a few long names can ask for millions. */
export function addAncestors(paths: Set<string>, path: string, check?: () => void): void {
  for (let each = path; !paths.has(each); each = parentOf(each)) {
    paths.add(each);
    check?.();
    if (each === '') return;
  }
}
