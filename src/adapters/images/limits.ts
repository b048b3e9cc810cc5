import type { LIMITS } from '../../kernel/mod.ts';

/** What an image may ask for; the figures are `LIMITS.images`. */
export type ImageLimits = { readonly [Limit in keyof typeof LIMITS.images]: number };
