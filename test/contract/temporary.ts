import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { closeAfter } from '../closing.ts';

/** An empty directory, removed after the test. */
export async function temporaryDirectory(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'hearth-test-'));
  closeAfter(t, () => rm(path, { recursive: true, force: true }));
  return path;
}
