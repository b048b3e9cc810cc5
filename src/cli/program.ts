/** The command line as a whole: what verbs there are, and how each one's failures end. Every verb loads only what it needs. */
import { readFile } from 'node:fs/promises';
import { Command, CommanderError, Option } from 'commander';
import { HearthError, asHearthError } from '../kernel/mod.ts';
import { DEFAULT_ENDPOINT, createContext } from './context.ts';
import type { Context, GlobalOptions } from './context.ts';
import type { DeployOptions } from './deploy.ts';
import { EXIT, exitCodeOf } from './exit-codes.ts';
import type { ExportTraceOptions } from './export.ts';
import type { InvokeOptions, UrlOptions, ValuesOptions } from './functions.ts';
import type { KeyOptions } from './keys.ts';
import type { PublishOptions } from './layers.ts';
import type { LogsOptions } from './logs.ts';
import type { NetworkOptions } from './network.ts';
import type { PushOptions } from './images.ts';
import { createOutput } from './output.ts';
import type { ReplayLiveOptions } from './replay-live.ts';
import type { ProvisionOptions } from './scale.ts';
import type { ScaleOptions } from './scaling-settings.ts';
import type { TraceOptions } from './trace.ts';
import type { Ahead, UpOptions } from './up.ts';
import type { ScheduleOptions } from './warm.ts';
import type { WasmGrantOptions } from './wasm.ts';
import type { WasmRunOptions } from './wasm-run.ts';

const EXIT_CODES_HELP = `
Exit codes: ${EXIT.ok} done, ${EXIT.failed} failed, ${EXIT.usage} wrong usage, ${EXIT.unreachable} no Hearth at the endpoint, ${EXIT.functionError} the invoked function failed.
Environment: HEARTH_ENDPOINT, HEARTH_DATA, HEARTH_KEY_FILE, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (with --auth), NO_COLOR.`;

/** Runs one command line and sets the process's exit code. Never throws. `ahead`: for `up`. */
export async function runProgram(args: readonly string[], ahead?: Ahead): Promise<void> {
  const program = await createProgram(ahead);
  // A reader that has seen enough (`| head`) closes the pipe; that ends this process, and is no failure.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? EXIT.ok : EXIT.failed));
  try {
    await program.parseAsync(args, { from: 'user' });
  } catch (thrown) {
    if (thrown instanceof CommanderError && thrown.exitCode === 0) return;
    const error = thrown instanceof CommanderError ? usageError(thrown) : asHearthError(thrown);
    createOutput({ json: args.includes('--json') }).error(error);
    process.exitCode = exitCodeOf(error);
  }
}

async function createProgram(ahead: Ahead | undefined): Promise<Command> {
  const program = new Command('hearth')
    .description('A self-hosted serverless platform that speaks the AWS Lambda API.')
    .version(await packageVersion(), '-V, --version')
    .option('--json', 'print the result as one line of JSON')
    .option('--endpoint <url>', `where Hearth runs (HEARTH_ENDPOINT; default ${DEFAULT_ENDPOINT})`)
    .addHelpText('after', EXIT_CODES_HELP)
    .configureOutput({ writeErr: () => undefined })
    .exitOverride();
  addPlatformVerbs(program, ahead);
  addProjectVerbs(program);
  addFunctionVerbs(program);
  addScalingVerbs(program);
  addLayerVerbs(program);
  addImageVerbs(program);
  addWasmVerbs(program);
  addKeyVerbs(program);
  addReplayVerbs(program);
  return program;
}

function addPlatformVerbs(program: Command, ahead: Ahead | undefined): void {
  program
    .command('up')
    .description('start the platform, and stay in the foreground until SIGINT or SIGTERM')
    .option('--port <number>', 'port to listen on; 0: any free one', '4566')
    .option('--host <address>', 'address to listen on; beyond loopback only with --auth', '127.0.0.1')
    .option('--data <directory>', 'data directory (HEARTH_DATA; default .hearth)')
    .option('--key-file <path>', 'the key that secrets are sealed with (HEARTH_KEY_FILE; default: sealing.key in the data directory)')
    .option('--auth', 'take signed requests only; see "hearth keys"')
    .option('--concurrency <number>', 'invocations that may run at a time, all functions together', '1000')
    .option('--keep-alive <span>', 'how long an idle instance is kept, such as 30s or 10m (default 10m)')
    .option('--memory <size>', 'what instances and templates may hold of memory: 4GiB, 512MiB, or a part of the machine such as 60%', '90%')
    .addOption(
      new Option('--evict <order>', 'who goes first where that does not suffice').choices(['value', 'lru', 'greedy-dual']).default('value'),
    )
    .addOption(
      new Option(
        '--warming <policy>',
        'what decides how long idle functions are held, and which are loaded ahead of a call; see docs/warming.md',
      )
        .choices(['hazard', 'histogram', 'fixed', 'none', 'lru', 'greedy-dual', 'value'])
        .default('hazard'),
    )
    .option('--warming-price <MiB-seconds>', 'what avoiding one cold start is worth to the policy "hazard"')
    .option(
      '--warming-speed <factor>',
      'the policy\'s time over real time, for "hearth replay --live"; nothing that is learnt is kept then',
      '1',
    )
    .addOption(new Option('--driver <name>', 'how functions are run').choices(['auto', 'linux', 'spawn']).default('auto'))
    .action(verb<UpOptions>(async (context, options) => (await import('./up.ts')).up(context, options, ahead)));
  program
    .command('doctor')
    .description('say what this machine offers for isolation, and what is missing')
    .action(verb(async (context) => (await import('./doctor.ts')).doctor(context)));
  program
    .command('runtimes')
    .description('list what this machine can run, and what starts cost here')
    .action(verb(async (context) => (await import('./runtimes.ts')).runtimes(context)));
}

function addProjectVerbs(program: Command): void {
  program
    .command('init <name>')
    .description('make a new function project in the directory NAME')
    .option('--template <name>', 'node, stream, edge, python, wasm, shell or image', 'node')
    .action(verb<{ template: string }>(async (context, options, name) => (await import('./init.ts')).init(context, name, options)));
  withScaling(program.command('deploy [directory]'))
    .description('bundle the project in DIRECTORY (default: here) and create or update its function')
    .option('--name <name>', "another name than hearth.json's")
    .option('--image <file>', 'no project, but the archive of a container image; DIRECTORY is the name of the function then')
    .option('--web <port>', 'with --image: the program serves HTTP at this port')
    .action(verb<DeployOptions>(async (context, options, target) => (await import('./deploy.ts')).deploy(context, target, options)));
}

function addFunctionVerbs(program: Command): void {
  const functions = () => import('./functions.ts');
  const values = ['--show-values', 'also show the values of environment variables, which may be secret'] as const;
  program
    .command('invoke <name>')
    .description('call a function and print what it answers')
    .option('--payload <json>', 'the event: JSON, @FILE, or - for stdin (default {})')
    .option('--tail', 'also print the end of the invocation log, on stderr')
    .option('--qualifier <version>', 'a version or an alias')
    .action(verb<InvokeOptions>(async (context, options, name) => (await functions()).invoke(context, name, options)));
  program
    .command('logs <name>')
    .description('print what a function has logged')
    .option('-f, --follow', 'go on printing what it logs')
    .option('--since <time>', 'a span such as 10m, 2h, 1d, or a time in ISO 8601')
    .option('--request-id <id>', 'of one invocation only')
    .option('--limit <number>', 'the latest so many entries (default 1000)')
    .action(verb<LogsOptions>(async (context, options, name) => (await import('./logs.ts')).logs(context, name, options)));
  program
    .command('trace <id>')
    .description('show how an invocation got its instance, step by step; or, of a function, its latest starts')
    .option('--kind <name>', 'of a function: warm, fork, boot or spawn')
    .option('--limit <number>', 'of a function: the latest so many (default 20)')
    .action(verb<TraceOptions>(async (context, options, subject) => (await import('./trace.ts')).trace(context, subject, options)));
  program
    .command('list')
    .description('list the functions')
    .option(...values)
    .action(verb<ValuesOptions>(async (context, options) => (await functions()).list(context, options)));
  program
    .command('get <name>')
    .description('show a function')
    .option(...values)
    .action(verb<ValuesOptions>(async (context, options, name) => (await functions()).get(context, name, options)));
  program
    .command('delete <name>')
    .description('delete a function, its URL and its log')
    .action(verb(async (context, _, name) => (await functions()).remove(context, name)));
  program
    .command('url <name>')
    .description("print a function's URL")
    .option('--create', 'make one if there is none')
    .option('--delete', 'take it away')
    .addOption(new Option('--auth <type>', 'who may call a new one').choices(['NONE', 'AWS_IAM']).default('NONE'))
    .action(verb<UrlOptions>(async (context, options, name) => (await functions()).url(context, name, options)));
  program
    .command('network <name> [grant...]')
    .description('show what a function may reach, or grant it: none, public, host, hosts, tcp:HOST:PORT; see docs/network.md')
    .option('--default', 'take the grant back: public addresses')
    .addOption(new Option('--api <what>', "what it may do with the platform's own API").choices(['invoke', 'control']))
    .action(
      verb<NetworkOptions>(async (context, options, name, grant) => (await import('./network.ts')).network(context, name, options, grant)),
    );
}

/** Those that `scale` and `deploy` have in common. */
function withScaling(command: Command): Command {
  const each = (text: string, before: readonly string[] | undefined) => [...(before ?? []), text];
  return command
    .option('--concurrency <number>', 'invocations that one instance runs at a time; "default" takes this and the following back')
    .option('--min <number>', 'instances that are kept')
    .option('--max <number>', 'instances at most')
    .option('--target <share>', 'how much of the concurrency is to be in use, 0.1 to 1')
    .option('--scale-down-delay <time>', 'how long fewer instances are wanted before there are fewer, e.g. 30s')
    .option('--burst <number>', 'how many times over its share makes a burst')
    .option('--queue-depth <number>', 'invocations that may wait for an instance')
    .option('--queue-age <time>', 'for how long, e.g. 10s')
    .option('--class <name>', 'who goes first when there is not enough: reserved, standard or spot')
    .option('--label <name>', 'what a machine must have to run it, e.g. gpu or compliance=pci; more than once', each);
}

function addScalingVerbs(program: Command): void {
  withScaling(program.command('scale <name>'))
    .description('show how a function scales, or change it; see docs/scaling.md. NAME:VERSION for --min and --max of a version')
    .action(verb<ScaleOptions>(async (context, options, name) => (await import('./scale.ts')).scale(context, name, options)));
  program
    .command('provision <name> [number]')
    .description('give NAME:ALIAS, or NAME:VERSION, provisioned concurrency; without a number show it')
    .option('--delete', 'take it back')
    .option('--no-wait', 'do not wait until it is there')
    .action(
      verb<ProvisionOptions>(async (context, options, name, [count]) =>
        (await import('./scale.ts')).provision(context, name, options, count),
      ),
    );
  const warm = program.command('warm').description('instances ahead of calls: by a schedule, and why there are some or none');
  warm
    .command('schedule <name>')
    .description('list the schedules of a function, or add one; NAME:ALIAS for an alias')
    .option('--cron <expression>', "e.g. 'cron(0 8 ? * MON-FRI *)', 'rate(1 hour)', 'at(2026-12-24T18:00:00)'")
    .option('--for <time>', 'how long from each of its times on, e.g. 10h')
    .option('--instances <number>', 'how many')
    .option('--timezone <name>', 'e.g. Europe/Berlin (default UTC)')
    .option('--id <name>', 'what the schedule is called; one of that name is changed')
    .option('--delete <id>', 'take one away')
    .action(verb<ScheduleOptions>(async (context, options, name) => (await import('./warm.ts')).schedule(context, name, options)));
  warm
    .command('explain <name>')
    .description('say why a function is or is not kept now, what that takes, and how its instances came to be')
    .action(verb(async (context, _, name) => (await import('./warm.ts')).explain(context, name)));
}

function addLayerVerbs(program: Command): void {
  const load = () => import('./layers.ts');
  const layers = program.command('layers').description('layers: files that functions share, at /opt');
  layers
    .command('publish <name> <source>')
    .description('make a version of a layer from the directory or the zip SOURCE, unless its latest version is the same')
    .option('--description <text>', 'what is in it')
    .option('--license <text>', 'the licence of what is in it')
    .option('--runtime <names...>', 'what it is made for, e.g. nodejs22.x')
    .option('--architecture <names...>', 'x86_64, arm64')
    .action(verb<PublishOptions>(async (context, options, name, [source]) => (await load()).publishLayer(context, name, source!, options)));
  layers
    .command('list [name]')
    .description('list the layers, or the versions of one')
    .action(verb(async (context, _, name) => (await load()).listLayersOrVersions(context, name)));
  layers
    .command('delete <name> <version>')
    .description('delete a version of a layer; functions that have it keep it')
    .action(verb(async (context, _, name, [version]) => (await load()).deleteLayerVersion(context, name, version!)));
}

function addImageVerbs(program: Command): void {
  const load = () => import('./images.ts');
  const images = program.command('images').description('container images on the platform');
  images
    .command('push <file>')
    .description('bring an image: an archive of docker save, podman save or an OCI layout')
    .option('--image <name>', 'which one, of several in the archive')
    .action(verb<PushOptions>(async (context, options, file) => (await load()).pushImage(context, file, options)));
  images
    .command('list')
    .description('list the images')
    .action(verb(async (context) => (await load()).listImages(context)));
  images
    .command('delete <digest>')
    .description('delete an image')
    .action(verb(async (context, _, digest) => (await load()).deleteImage(context, digest)));
}

function addWasmVerbs(program: Command): void {
  const wasm = program.command('wasm').description('WebAssembly: run a module here, and say what functions that are modules are given');
  const each = (text: string, before: readonly string[]) => [...before, text];
  wasm
    .command('run <file> [arguments...]')
    .description('run a WASI command on this machine; its exit code is this one, 134 where it traps. Words behind -- go to it')
    .option('--dir <host::guest>', 'give it a directory, to read and write; more than once', each, [])
    .option('--read-dir <host::guest>', 'give it a directory, to read only; more than once', each, [])
    .option('--env <name=value>', 'give it a variable; more than once', each, [])
    .option('--memory <MiB>', 'what its memory may grow to', '1024')
    .action(
      verb<WasmRunOptions>(async (context, options, file, words) => (await import('./wasm-run.ts')).wasmRun(context, file, options, words)),
    );
  wasm
    .command('grant <name> [grant...]')
    .description(
      'show what a module is given beyond its event, or grant it: clock, random, keep, dir:PATH, read:PATH, none; see docs/wasm.md',
    )
    .option('--default', 'take the grant back: nothing')
    .action(
      verb<WasmGrantOptions>(async (context, options, name, grant) => (await import('./wasm.ts')).wasmGrant(context, name, options, grant)),
    );
}

function addKeyVerbs(program: Command): void {
  const load = () => import('./keys.ts');
  const keys = program
    .command('keys')
    .description('access keys, for a platform that runs with --auth, and the key that secrets are sealed with');
  const data = ['--data <directory>', 'work on this data directory, while no Hearth runs on it: how the first key is made'] as const;
  const keyFile = ['--key-file <path>', 'with --data: the key that secrets are sealed with (HEARTH_KEY_FILE)'] as const;
  keys
    .command('create')
    .description('make a key; its secret is printed once')
    .option('--description <text>', 'what it is for')
    .option(...data)
    .option(...keyFile)
    .action(verb<KeyOptions & { description?: string }>(async (context, options) => (await load()).createKey(context, options)));
  keys
    .command('list')
    .description('list the keys, without their secrets')
    .option(...data)
    .option(...keyFile)
    .action(verb<KeyOptions>(async (context, options) => (await load()).listKeys(context, options)));
  keys
    .command('delete <id>')
    .description('delete a key; requests signed by it are refused from then on')
    .option(...data)
    .option(...keyFile)
    .action(verb<KeyOptions>(async (context, options, id) => (await load()).deleteKey(context, id, options)));
  keys
    .command('rotate')
    .description('seal all secrets with a new sealing key, while no Hearth runs on the data directory')
    .option('--data <directory>', 'data directory (HEARTH_DATA; default .hearth)')
    .option('--key-file <path>', 'the key file (HEARTH_KEY_FILE; default: sealing.key in the data directory)')
    .action(verb<KeyOptions>(async (context, options) => (await load()).rotateKey(context, options)));
}

function addReplayVerbs(program: Command): void {
  program
    .command('export')
    .description('write out what the platform knows')
    .command('trace')
    .description('print recorded invocations as lines of JSON, for "hearth replay"')
    .option('--since <time>', 'a span such as 10m, 2h, 1d, or a time in ISO 8601')
    .option('--function <names...>', 'of these functions only')
    .option('--anonymous', 'hashes in place of names')
    .action(verb<ExportTraceOptions>(async (context, options) => (await import('./export.ts')).exportTrace(context, options)));
  program
    .command('replay <trace> [more...]')
    .description('say what policies of keeping instances would have done on a trace: a file, several, or a directory; see docs/replay.md')
    .option(
      '--policy <names>',
      'hazard[:PRICE], fixed[:MINUTES], histogram, lru, greedy-dual, value, none (default hazard,fixed,histogram; with --live one, hazard)',
    )
    .option('--price <number>', 'of hazard: what a cold start is worth, in MiB s')
    .option('--limit-memory <size>', "most that is held at once: 512MiB, 16GiB, or 30% of all functions' memory")
    .addOption(new Option('--schedules <which>', 'whether timers are told to policies').choices(['known', 'unknown']).default('known'))
    .addOption(new Option('--resolution <of>', 'how time is counted').choices(['minutes', 'milliseconds']).default('minutes'))
    .option('--from <minute>', 'count from this minute of the trace on; what comes before is learnt from')
    .option('--to <minute>', 'count to this minute')
    .option('--seed <number>', 'of the times within a minute', '1')
    .option('--format <name>', 'azure, compact or hearth, where the content does not tell')
    .option('--svg <file>', 'write a chart of the trade-off')
    .option(
      '--live',
      'drive a platform with a part of the trace, and compare its starts with predicted ones: one that is started for it, or that of --endpoint',
    )
    .option('--speed <factor>', 'with --live: trace time over real time (default 60, or what the platform at --endpoint has)')
    .option('--functions <number>', 'with --live: most functions that are made for it', '40')
    .option('--calls <number>', 'with --live: most calls', '5000')
    .option('--rate <number>', 'with --live: most calls in any second', '50')
    .option('--connections <number>', 'with --live: most calls at a time', '32')
    .action(
      verb<ReplayLiveOptions & { live?: boolean }>(async (context, options, trace, more) =>
        options.live
          ? (await import('./replay-live.ts')).replayLive(context, [trace, ...more], options)
          : (await import('./replay.ts')).replay(context, [trace, ...more], options),
      ),
    );
}

/** `argument`: the verb's first argument, '' without; `more`: the words after it, where it takes some. A number as result is the exit code. */
type Verb<Options> = (
  context: Context,
  options: Options & GlobalOptions,
  argument: string,
  more: readonly string[],
) => Promise<number | void>;

/** What commander calls: with the arguments if the verb has some, its own options, and the command. */
function verb<Options = object>(run: Verb<Options>): (...args: readonly unknown[]) => Promise<void> {
  return async (...args) => {
    const command = args.at(-1) as Command;
    const options = command.optsWithGlobals<GlobalOptions & Options>();
    const words = args.slice(0, -2).flat();
    const [argument = '', ...more] = words.filter((word) => typeof word === 'string');
    process.exitCode = (await run(createContext(options), options, argument, more)) ?? EXIT.ok;
  };
}

function usageError(error: CommanderError): HearthError {
  const text = error.message.replace(/^error: /, '');
  // Without a command commander shows the help, which is then no result but the answer to a mistake.
  if (error.code === 'commander.help') return new HearthError('BadUsage', 'there is no command; "hearth --help" lists them');
  return new HearthError('BadUsage', `${text}; see "hearth --help"`, { cause: error });
}

async function packageVersion(): Promise<string> {
  const text = await readFile(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
