import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { closeAfter } from './closing.ts';

/** An empty directory, removed after the test. */
export function temporaryDirectory(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'hearth-test-'));
  // Who was killed a moment ago may still be writing, on a busy machine for some seconds: each try waits longer than the one before.
  closeAfter(t, () => rm(path, { recursive: true, force: true, maxRetries: 30 }));
  return path;
}
