export { createEngine } from './create-engine.ts';
export type * from './create-engine.ts';
export { DEFAULT_SCALING } from './deployment.ts';
export type * from './deployment.ts';
export type * from './engine.ts';
export { DEFAULT_LIMITS } from './limits.ts';
export type { WarmingView } from './warmer.ts';
export type { WarmingOptions, WarmingState } from './warming.ts';
