/** Runs one command line and sets the process's exit code. Never throws. */
export async function runCli(args: readonly string[]): Promise<void> {
  // Before commands are so much as read: a platform that starts waits longest for another process.
  const ahead = args[0] === 'up' ? await (await import('./up.ts')).ahead() : undefined;
  try {
    await (await import('./program.ts')).runProgram(args, ahead);
  } finally {
    await ahead?.close();
  }
}
