export { createEngine } from './create-engine.ts';
export type * from './create-engine.ts';
export type * from './deployment.ts';
export type * from './engine.ts';
