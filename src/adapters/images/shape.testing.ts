import assert from 'node:assert/strict';
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

/** What there is at each path. */
export type Shape = Record<string, string>;

/** What is below `root`, by path; and that it is nothing but files, links and directories without special rights. */
export function shape(root: string): Shape {
  const all: Shape = {};
  const walk = (path: string) => {
    for (const each of readdirSync(join(root, path))) {
      const below = path === '' ? each : `${path}/${each}`;
      const status = lstatSync(join(root, below));
      if (!status.isSymbolicLink()) assert.equal(status.mode & 0o7022, 0, below);
      if (status.isSymbolicLink()) all[below] = `link ${readlinkSync(join(root, below))}`;
      else if (status.isFile()) all[below] = `file ${readFileSync(join(root, below), 'utf8')}`;
      else {
        assert.ok(status.isDirectory(), below);
        all[below] = 'directory';
        walk(below);
      }
    }
  };
  walk('');
  return all;
}
