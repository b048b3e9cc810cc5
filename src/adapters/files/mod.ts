export { FileBlobs } from './blobs.ts';
export { openDataDirectory } from './data-directory.ts';
export type { DataDirectory } from './data-directory.ts';
export { FileFunctionLogs } from './function-logs.ts';
export type { FileFunctionLogsOptions, FunctionLogsLimits } from './function-logs.ts';
