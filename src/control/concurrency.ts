import { LIMITS } from '../kernel/mod.ts';
import type { Functions } from './functions.ts';
import { invalid } from './invalid.ts';
import type { FunctionRecord, ProvisionedRecord } from './records.ts';
import type { FunctionEntry } from './table.ts';

/** Gives a function a share of the account's concurrency: at once its own and its limit. 0 stops it. */
export function reserveConcurrency(functions: Functions, name: string, reserved: number): Promise<void> {
  return functions.change(name, (entry) => {
    const provisioned = provisionedExecutions(entry.record);
    if (reserved < provisioned)
      throw invalid(
        `ReservedConcurrentExecutions ${reserved} should not be lower than function's total provisioned concurrency [${provisioned}].`,
      );
    const record = { ...entry.record, reservedConcurrency: reserved };
    if (unreservedAfter(functions, entry, record) < LIMITS.unreservedConcurrency)
      throw invalid(
        `Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [${LIMITS.unreservedConcurrency}].`,
      );
    return { record, result: () => undefined };
  });
}

export function releaseConcurrency(functions: Functions, name: string): Promise<void> {
  return functions.change(name, (entry) => {
    const { reservedConcurrency: _, ...record } = entry.record;
    return { record, result: () => undefined };
  });
}

/** What functions without a reservation have. More may be reserved than leaves them their minimum, where the account's limit was higher once. */
export const unreservedConcurrency = (functions: Functions): number => Math.max(LIMITS.unreservedConcurrency, restOf(functions));

function restOf(functions: Functions): number {
  let rest = functions.concurrency;
  for (const entry of functions.table.byName.values()) rest -= takenBy(entry.record);
  return rest;
}

/** Whether what a function's record has provisioned leaves enough to all others. Throws `InvalidParameterValueException`. */
export function checkUnreserved(functions: Functions, entry: FunctionEntry, next: FunctionRecord): void {
  const executions = provisionedExecutions(next);
  if (executions > functions.concurrency)
    throw invalid(
      `Specified ConcurrentExecutions for function is greater than account's unreserved concurrency [${unreservedConcurrency(functions)}].`,
    );
  if (unreservedAfter(functions, entry, next) < LIMITS.unreservedConcurrency)
    throw invalid(
      `Specified ConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [${LIMITS.unreservedConcurrency}].`,
    );
}

const unreservedAfter = (functions: Functions, entry: FunctionEntry, next: FunctionRecord): number =>
  restOf(functions) + takenBy(entry.record) - takenBy(next);

/** What is provisioned comes out of the reservation, where there is one. */
const takenBy = (record: FunctionRecord): number => record.reservedConcurrency ?? provisionedExecutions(record);

/** What is provisioned for all qualifiers together. */
export const provisionedExecutions = ({ provisioned = [] }: { readonly provisioned?: readonly ProvisionedRecord[] }): number =>
  provisioned.reduce((sum, { executions }) => sum + executions, 0);
