/**
 * Two halves of a trace, by application: what is learnt or chosen on the one is reported on the other. Applications stay whole, as
 * functions of one behave alike.
 */
import { createHash } from 'node:crypto';
import type { Trace } from './trace.ts';

export function halfOf(trace: Trace, half: 'tuned' | 'held out'): Trace {
  const bit = half === 'tuned' ? 0 : 1;
  return { ...trace, functions: trace.functions.filter(({ app }) => (createHash('sha256').update(app).digest()[0]! & 1) === bit) };
}
