import { destination, pino, stdSerializers } from 'pino';
import type { Log } from '../../kernel/mod.ts';
import { plainLine } from './plain.ts';

export type LogLevelName = 'debug' | 'info' | 'warn' | 'error' | 'silent';

export type PinoLogOptions = {
  readonly level: LogLevelName;
  /** `json`: one object a line, for collectors. `plain`: for eyes. */
  readonly format: 'json' | 'plain';
  /** Where lines go; standard error unless given. */
  readonly write?: (line: string) => void;
};

/** The platform's own log. Standard output stays free for what commands answer. */
export function pinoLog(options: PinoLogOptions): Log {
  const write = options.write ?? standardError();
  const stream = { write: options.format === 'json' ? write : (line: string) => write(plainLine(line)) };
  // Errors keep their code, stack and cause under either of the names they go by.
  const serializers = { error: stdSerializers.errWithCause, err: stdSerializers.errWithCause, cause: stdSerializers.errWithCause };
  const logger = pino({ level: options.level, base: null, timestamp: () => `,"time":"${new Date().toISOString()}"`, serializers }, stream);
  return {
    debug: (fields, message) => logger.debug(fields, message),
    info: (fields, message) => logger.info(fields, message),
    warn: (fields, message) => logger.warn(fields, message),
    error: (fields, message) => logger.error(fields, message),
  };
}

/** Written at once: a line about why the process ends must be out before it does. */
function standardError(): (line: string) => void {
  const stderr = destination({ dest: 2, sync: true });
  return (line) => void stderr.write(line);
}
