export { pinoLog } from './log.ts';
export type { LogLevelName, PinoLogOptions } from './log.ts';
