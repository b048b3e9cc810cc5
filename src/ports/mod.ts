export type * from './blobs.ts';
export type * from './function-logs.ts';
export { boundedLogEntry, LOG_QUERY_LIMIT } from './function-logs.ts';
export type { InvocationReport } from './invocation-report.ts';
export { entriesOf, startLine } from './invocation-report.ts';
export type * from './sandboxes.ts';
export type * from './store.ts';
export { assertKey, encodeValue } from './store.ts';
