import { HearthError, LIMITS } from '../kernel/mod.ts';
import type { Functions } from './functions.ts';

/** Gives a function a share of the account's concurrency: at once its own and its limit. 0 stops it. */
export function reserveConcurrency(functions: Functions, name: string, reserved: number): Promise<void> {
  return functions.change(name, (entry) => {
    const rest = unreservedConcurrency(functions) + (entry.record.reservedConcurrency ?? 0) - reserved;
    if (rest < LIMITS.unreservedConcurrency)
      throw new HearthError(
        'InvalidParameterValueException',
        `Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [${LIMITS.unreservedConcurrency}].`,
      );
    return { record: { ...entry.record, reservedConcurrency: reserved }, result: () => undefined };
  });
}

export function releaseConcurrency(functions: Functions, name: string): Promise<void> {
  return functions.change(name, (entry) => {
    const { reservedConcurrency: _, ...record } = entry.record;
    return { record, result: () => undefined };
  });
}

export function unreservedConcurrency(functions: Functions): number {
  let rest = functions.concurrency;
  for (const entry of functions.table.byName.values()) rest -= entry.record.reservedConcurrency ?? 0;
  return rest;
}
