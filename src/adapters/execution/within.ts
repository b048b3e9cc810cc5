import type { Clock } from '../../kernel/mod.ts';

/** Settles when `awaited` has, or when so long has passed. */
export async function within(clock: Clock, awaited: Promise<void>, limitMs: number): Promise<void> {
  const limit = Promise.withResolvers<void>();
  const timer = clock.after(limitMs, limit.resolve);
  await Promise.race([awaited, limit.promise]);
  timer.cancel();
}
