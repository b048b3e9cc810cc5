import assert from 'node:assert/strict';
import { test } from 'node:test';
import { libc } from '../../../runtimes/ladder/libc.ts';
import { fillGaps } from '../../../runtimes/node/malloc.ts';
import { skip } from './templates.testing.ts';

const PAGE_BYTES = 4096n;
const BLOCKS = 64;
const GAPS = 1_000;
const GAP_BYTES = 2_000;

test('what is asked for once gaps are filled lies side by side', { skip }, () => {
  const blocks = Array.from({ length: 2 * GAPS }, () => libc.malloc(BigInt(GAP_BYTES)));
  for (let i = 0; i < blocks.length; i += 2) libc.free(blocks[i]!);
  assert.ok(fillGaps() >= GAPS * GAP_BYTES);
  const pages = new Set(Array.from({ length: BLOCKS }, () => libc.malloc(48n) / PAGE_BYTES));
  // A block takes 64 bytes; what V8 asks for meanwhile lies between.
  assert.ok(pages.size <= 8, `${BLOCKS} blocks lie on ${pages.size} pages`);
});
