export { ProgramInstance } from './program-instance.ts';
export type { ProgramInit, ProgramInstanceOptions } from './program-instance.ts';
export { bootProgram, hearInit } from './program-template.ts';
export type { StartProgram, StartedProgram } from './program-template.ts';
export { listenForProcesses, serveConnection } from './server.ts';
