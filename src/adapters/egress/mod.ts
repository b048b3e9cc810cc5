export { createEgress } from './egress.ts';
export type { Caller, EgressOptions, EgressProxy } from './egress.ts';
export { resolveHost } from './resolve.ts';
