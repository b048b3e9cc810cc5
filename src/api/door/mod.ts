export * from './access-keys.ts';
export * from './door.ts';
export { checkListen, isLoopback } from './loopback.ts';
export type { Examination } from './signatures.ts';
