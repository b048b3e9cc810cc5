import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';

/**
 * Ends the functions' processes when this process ends without doing so, be it by SIGKILL: a shell that holds the list of process groups and
 * reads a pipe, whose other end closes with us. (An instance that waits sees its own channel close; one that spins does not.)
 */
export class Watchdog {
  readonly #shell: ChildProcess;
  readonly #groups = new Set<number>();

  constructor() {
    // A session of its own: a Ctrl-C at the terminal must not end it before it has done its work.
    this.#shell = spawn('/bin/sh', ['-c', SCRIPT], { stdio: ['pipe', 'ignore', 'ignore'], detached: true, env: {} });
    this.#shell.unref();
    // Without it functions still end with their channel, all but those that spin.
    this.#shell.on('error', () => this.#groups.clear());
    this.#shell.stdin!.on('error', () => this.#groups.clear());
  }

  add(group: number): void {
    this.#groups.add(group);
    this.#shell.stdin!.write(`+ ${group}\n`);
  }

  remove(group: number): void {
    if (this.#groups.delete(group)) this.#shell.stdin!.write(`- ${group}\n`);
  }

  /** Settles when the shell is gone, and with it whatever was left on the list. */
  async close(): Promise<void> {
    if (this.#shell.pid === undefined || this.#shell.exitCode !== null || this.#shell.signalCode !== null) return;
    const gone = new Promise((resolve) => this.#shell.once('exit', resolve));
    this.#shell.stdin!.end();
    await gone;
  }
}

const SCRIPT = `
groups=' '
while read -r verb group; do
  case $verb in
    +) groups="$groups$group " ;;
    -) groups="\${groups%%" $group "*} \${groups#*" $group "}" ;;
  esac
done
for group in $groups; do kill -s KILL -- "-$group"; done
`;
