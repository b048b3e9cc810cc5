/** V8's garbage, collected when nobody waits. Loaded before user code. */

type Collection = { readonly type: 'minor' | 'major'; readonly flavor?: 'last-resort' };
const { gc } = globalThis as { gc?: (options: Collection & { readonly execution: 'sync' }) => void };
// Not for user code; the property itself can't be deleted.
(globalThis as { gc?: unknown }).gc = undefined;

/**
 * Collects garbage now, so that children don't, each over pages that it must copy to do so. The host turns the function on
 * (`--expose-gc`). `last-resort`: again and again until nothing is gained, and pages that have become free go back to the system.
 */
export function collectGarbage(type: 'minor' | 'major', flavor?: 'last-resort'): void {
  gc?.({ type, execution: 'sync', ...(flavor && { flavor }) });
}
