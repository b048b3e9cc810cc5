export type * from './deployment.ts';
export type * from './engine.ts';
