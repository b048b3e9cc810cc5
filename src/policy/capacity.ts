/** Classes of capacity as decisions use them. How tags say them: `src/protocol/capacity.ts`. */
import { CAPACITY_CLASSES } from '../protocol/mod.ts';
import type { CapacityClass } from '../protocol/mod.ts';

export { CAPACITY_CLASSES } from '../protocol/mod.ts';
export type { Capacity, CapacityClass } from '../protocol/mod.ts';

/** 0 for whoever goes first to what there is; last to what is taken away. */
export const rankOf = (capacityClass: CapacityClass): number => CAPACITY_CLASSES.indexOf(capacityClass);
