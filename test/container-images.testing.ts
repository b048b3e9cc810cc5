/** Container images for tests: made here, of programs that are compiled here. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { archiveBytes, dockerFiles, tarBytes } from '../src/adapters/images/image-bytes.testing.ts';
import type { Part } from '../src/adapters/images/image-bytes.testing.ts';
import { temporaryDirectory } from './temporary.ts';

export const noCompiler: string | false = missing('cc');

export function missing(command: string): string | false {
  return spawnSync('sh', ['-c', `command -v ${command}`]).status === 0 ? false : `there is no ${command}`;
}

/** A program that needs nothing else. */
export function compile(t: TestContext, ...sources: readonly string[]): Buffer {
  const program = join(temporaryDirectory(t), 'program');
  const { status, stderr } = spawnSync('cc', ['-static', '-O1', '-o', program, ...sources], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  return readFileSync(program);
}

/** What test/fixtures/images/server.c says. */
export const compileServer = (t: TestContext): Buffer => compile(t, join(import.meta.dirname, 'fixtures/images/server.c'));

export const ARCHITECTURE = process.arch === 'arm64' ? 'arm64' : 'amd64';

export type ImageFileSpec = {
  readonly parts: readonly Part[];
  /** `config` of the image's configuration. */
  readonly config?: object;
  readonly tags?: readonly string[];
};

/** The path of an archive as `docker save` writes it. */
export async function archiveFile(t: TestContext, { parts, config = {}, tags = [] }: ImageFileSpec): Promise<string> {
  const file = join(temporaryDirectory(t), 'image.tar');
  const layers = [await tarBytes(parts)];
  await writeFile(file, await archiveBytes(dockerFiles({ layers, architecture: ARCHITECTURE, config }, tags)));
  return file;
}

export const executable = (name: string, content: Buffer | string): Part => ({ name, content, mode: 0o755 });

/** A program of this machine and the libraries that it needs, where it looks for them. */
export function programParts(program: string, name = program): readonly Part[] {
  const { stdout } = spawnSync('ldd', [program], { encoding: 'utf8' });
  const libraries = [...stdout.matchAll(/(\/\S+)\s\(0x/g)].map(([, path]) => path!);
  return [executable(name.slice(1), readFileSync(program)), ...libraries.map((path) => executable(path.slice(1), readFileSync(path)))];
}
