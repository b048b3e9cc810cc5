/** External extensions of a function: files in /opt/extensions, started as processes of their own before the function's runtime. */
import { waitYourTurn } from '../ladder/isolate.ts';
import { libc, pinned, pinnedText } from '../ladder/libc.ts';
import { sendRecord } from '../ladder/messages.ts';
import { RECORD } from '../ladder/orders.ts';
import { extensionEnvironment } from '../ladder/extension-environment.ts';
import { becomeProgram } from './program.ts';

export const EXTENSIONS = '/opt/extensions';

export type Launch = {
  readonly names: readonly string[];
  /** The function's. */
  readonly environment: Readonly<Record<string, string>>;
  /** What they write to. */
  readonly output: number;
  /** Where the keeper hears of them. */
  readonly keeper: number;
  /** fork(2); -1: there is no room for a process. */
  readonly fork: () => number;
  /** What each does last before it begins. */
  readonly lastly: () => void;
};

const status = pinned(4);
const root = pinnedText('/');

/** Starts all of them. Each is the keeper's child by the time this returns. */
export function launchExtensions(launch: Launch): void {
  const { names, keeper, fork } = launch;
  for (let place = 0; place < names.length; place++) {
    const pid = fork();
    if (pid === 0) leave(launch, place);
    const made = pid > 0 && libc.waitpid(pid, status.address, 0) === pid && status.buffer.readInt32LE(0) === 0;
    if (!made) sendRecord(keeper, RECORD.extensionNotBegun, place);
  }
}

/** In a child that is in nobody's way: its own child is the extension, and has no parent but the keeper. */
function leave(launch: Launch, place: number): never {
  const pid = launch.fork();
  if (pid !== 0) libc._exit(pid === -1 ? 1 : 0);
  return begin(launch, place);
}

function begin({ names, environment, output, keeper, lastly }: Launch, place: number): never {
  sendRecord(keeper, RECORD.extension, place);
  libc.setsid();
  libc.dup2(output, 1);
  libc.dup2(output, 2);
  libc.chdir(root.address);
  waitYourTurn();
  const { errorMessage } = becomeProgram(
    { path: `${EXTENSIONS}/${names[place]!}`, environment: extensionEnvironment(environment) },
    lastly,
  );
  const text = pinnedText(`${errorMessage}\n`);
  void libc.write(1, text.address, BigInt(Buffer.byteLength(errorMessage) + 1));
  sendRecord(keeper, RECORD.extensionNotBegun, place);
  libc._exit(1);
  throw new Error('not reached');
}
