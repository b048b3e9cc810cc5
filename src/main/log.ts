import { pinoLog } from '../adapters/pino/mod.ts';
import type { LogLevelName } from '../adapters/pino/mod.ts';
import { HearthError } from '../kernel/mod.ts';
import type { Log } from '../kernel/mod.ts';

const LEVELS: readonly LogLevelName[] = ['debug', 'info', 'warn', 'error', 'silent'];

export type LogOptions = { readonly json: boolean; readonly level: string | undefined };

/** The platform's log on standard error: lines for people, or JSON. `level`: default info. Throws `BadUsage`. */
export function openLog(options: LogOptions): Log {
  const level = LEVELS.find((known) => known === (options.level || 'info'));
  if (!level) throw new HearthError('BadUsage', `HEARTH_LOG=${options.level}: give one of ${LEVELS.join(', ')}.`);
  return pinoLog({ level, format: options.json ? 'json' : 'plain' });
}
