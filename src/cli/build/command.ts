import { spawn } from 'node:child_process';
import { HearthError } from '../../kernel/mod.ts';
import type { Project } from './project.ts';

/** How much of what it says is shown when it fails. */
const SHOWN_CHARACTERS = 4_000;

/** Runs the project's own build command, if it has one, in its directory. Throws HearthError `BuildFailed` with what it said. */
export async function runBuildCommand({ build, directory }: Project): Promise<void> {
  if (build === undefined) return;
  const child = spawn(build, { cwd: directory, shell: true, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  const hear = (chunk: Buffer) => (said = (said + chunk.toString()).slice(-SHOWN_CHARACTERS));
  child.stdout.on('data', hear);
  child.stderr.on('data', hear);
  const [code, signal] = await new Promise<[number | null, string | null]>((resolve) => {
    child.once('error', (error) => resolve([1, hear(Buffer.from(error.message))]));
    child.once('close', (...end) => resolve(end));
  });
  if (code === 0) return;
  throw new HearthError('BuildFailed', `"build" in hearth.json ended with ${code ?? signal}: ${build}\n${said.trimEnd()}`);
}
