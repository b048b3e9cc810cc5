export { ProgramInstance } from './program-instance.ts';
export type { ProgramInit, ProgramInstanceOptions } from './program-instance.ts';
export { listenForProcesses, serveConnection } from './server.ts';
