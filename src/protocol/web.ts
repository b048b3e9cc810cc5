/**
 * Functions that are web servers: they don't ask for events, they serve HTTP at a port. A variable of the function's environment switches that
 * on; the others are those of the AWS Lambda Web Adapter, with the meaning that they have there.
 */
import { HearthError } from '../kernel/mod.ts';
import { INSIDE_PORT } from './network.ts';

export type Web = {
  readonly port: number;
  readonly readiness: {
    readonly port: number;
    readonly path: string;
    /** `tcp`: it is enough that somebody listens. */
    readonly protocol: 'http' | 'tcp';
    readonly statuses: readonly StatusRange[];
  };
  /** Answers are handed on while they are made. */
  readonly streams: boolean;
  /** What takes longer than init may take goes on in the first invocation. */
  readonly asyncInit: boolean;
  /** Where events go that are no HTTP requests. */
  readonly passThroughPath: string;
  /** Taken off the beginning of paths. */
  readonly basePath: string;
  /** Answers with these fail the invocation. */
  readonly errorStatuses: readonly StatusRange[];
};

/** From the first to the last, both of them too. */
export type StatusRange = readonly [first: number, last: number];

/** The port. It is the program's PORT too, unless that has been given. */
export const WEB_PORT = 'HEARTH_WEB_PORT';
/** Where the Runtime API is inside. */
const RUNTIME_API_PORT = 9001;

export const inRanges = (ranges: readonly StatusRange[], status: number): boolean =>
  ranges.some(([first, last]) => status >= first && status <= last);

type Environment = Readonly<Record<string, string>>;

/** Undefined: it is not switched on. Throws HearthError `InvalidParameterValueException`. */
export function parseWeb(environment: Environment): Web | undefined {
  if (environment[WEB_PORT] === undefined) return undefined;
  const port = portIn(environment, WEB_PORT)!;
  return {
    port,
    readiness: {
      port: portIn(environment, 'AWS_LWA_READINESS_CHECK_PORT') ?? port,
      path: pathIn(environment, 'AWS_LWA_READINESS_CHECK_PATH', '/'),
      protocol: choiceIn(environment, 'AWS_LWA_READINESS_CHECK_PROTOCOL', ['http', 'tcp']),
      statuses: statusesIn(environment, 'AWS_LWA_READINESS_CHECK_HEALTHY_STATUS') ?? [[100, 499]],
    },
    streams: choiceIn(environment, 'AWS_LWA_INVOKE_MODE', ['buffered', 'response_stream']) === 'response_stream',
    asyncInit: choiceIn(environment, 'AWS_LWA_ASYNC_INIT', ['false', 'true']) === 'true',
    passThroughPath: pathIn(environment, 'AWS_LWA_PASS_THROUGH_PATH', '/events'),
    basePath: pathIn(environment, 'AWS_LWA_REMOVE_BASE_PATH', '/').replace(/\/+$/, ''),
    errorStatuses: statusesIn(environment, 'AWS_LWA_ERROR_STATUS_CODES') ?? [],
  };
}

function portIn(environment: Environment, name: string): number | undefined {
  const text = environment[name];
  if (text === undefined) return undefined;
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65_535) throw wrong(name, text, 'is no port: a number from 1 to 65535');
  if (port === INSIDE_PORT || port === RUNTIME_API_PORT) throw wrong(name, text, 'is a port of the platform inside. Take another one');
  return port;
}

function pathIn(environment: Environment, name: string, otherwise: string): string {
  const path = environment[name] ?? otherwise;
  if (!/^\/[\x21-\x7e]*$/.test(path)) throw wrong(name, path, 'is no path: it begins with / and has no spaces');
  return path;
}

/** The first is the default. */
function choiceIn<T extends string>(environment: Environment, name: string, choices: readonly [T, ...T[]]): T {
  const text = environment[name];
  if (text === undefined) return choices[0];
  const choice = choices.find((each) => each === text.toLowerCase());
  if (choice === undefined) throw wrong(name, text, `is none of ${choices.join(', ')}`);
  return choice;
}

function statusesIn(environment: Environment, name: string): readonly StatusRange[] | undefined {
  return environment[name]?.split(',').map((text): StatusRange => {
    const [, first, last = first] = /^\s*([1-5]\d\d)(?:-([1-5]\d\d))?\s*$/.exec(text) ?? [];
    if (first === undefined) throw wrong(name, environment[name]!, 'is no list of statuses such as 200,300-399');
    return [Number(first), Number(last)];
  });
}

const wrong = (name: string, text: string, why: string): HearthError =>
  new HearthError('InvalidParameterValueException', `The environment variable ${name}, ${JSON.stringify(text)}, ${why}.`);
