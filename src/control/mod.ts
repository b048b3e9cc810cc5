export type * from './code-store.ts';
