/** Attacks on a platform, from inside a function of it: after each the platform is well, the attacker's function and a neighbour answer. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { CreateFunctionCommand } from '@aws-sdk/client-lambda';
import type { CreateFunctionCommandInput } from '@aws-sdk/client-lambda';
import { archiveFile, executable, programParts } from '../container-images.testing.ts';
import { ROLE, eventually, startIsolated, startNeighbour } from '../e2e/platform.ts';
import type { Isolated, Neighbour, Source } from '../e2e/platform.ts';
import { USERS } from '../e2e/users.ts';
import type { User } from '../e2e/users.ts';

export type Siege = {
  readonly t: TestContext;
  readonly user: User;
  /** What runs the attacker, as the Lambda API names it. */
  readonly runtime: AttackedRuntime;
  readonly isolated: Isolated;
  /** What the attacker says came of an attempt. Fails when the attacker itself does. */
  ask<T>(attempt: string, options?: object): Promise<T>;
  /** One attack, and the look around after it. */
  attack(what: string, run: () => Promise<void>): Promise<void>;
};

/** The source of a function in this directory: it runs in a sandbox, and imports nothing of the project but what is packed with it. */
export function source(file: string): Source {
  const read = (name: string) => readFileSync(join(import.meta.dirname, name), 'utf8');
  if (file.endsWith('.py')) return { 'index.py': read(file) };
  return { 'index.mjs': read(file), 'libc.mjs': read('libc.mjs'), bootstrap: read('bootstrap.mjs') };
}

/** Where attackers run: in the template's own runtime, in Python, or as a program that has taken its place, which runs the same attacks by Node; that may be one of a container image. */
export type AttackedRuntime = 'nodejs24.x' | 'provided.al2023' | 'python3.11' | 'image';

export const isProgram = (runtime: AttackedRuntime): boolean => runtime === 'provided.al2023' || runtime === 'image';

/**
 * Runs `attacks` against a platform of its own: as root and as a user without rights, where the tests run as root. `attacker`: the file of a
 * function, deployed under that name without its ending, that takes `{ attempt: NAME, ...options }` and answers `here` to `none`.
 */
export function besiege(
  what: string,
  attacker: string,
  attacks: (siege: Siege) => Promise<void>,
  runtimes: readonly AttackedRuntime[] = ['nodejs24.x'],
): void {
  for (const [user, runtime] of USERS.flatMap((each) => runtimes.map((one) => [each, one] as const))) {
    test(`${what}, ${runtime}, the platform being run by ${user}`, { timeout: 300_000 }, async (t) => {
      const isolated = await startIsolated(t, undefined, user);
      if (!isolated) return;
      const name = attacker.replace(/\..*/, '');
      const settings = { Timeout: 20, MemorySize: 256 };
      if (runtime === 'image') await createImage(t, isolated, { name, files: source(attacker) as Files, settings });
      else await isolated.create(name, source(attacker), { Runtime: runtime, ...settings });
      const neighbour = await startNeighbour(isolated);
      const ask = async <T>(attempt: string, options: object = {}): Promise<T> => {
        const { value, error } = await isolated.invoke(name, { attempt, ...options });
        assert.equal(error, undefined, JSON.stringify(error));
        return value as T;
      };
      const attack = attacking(t, isolated, neighbour, () => eventually(async () => assert.equal(await ask('none'), 'here')));
      await attacks({ t, user, runtime, isolated, ask, attack });
      await neighbour.stop();
    });
  }
}

type Files = Readonly<Record<string, string>>;
type Attacker = { readonly name: string; readonly files: Files; readonly settings: Partial<CreateFunctionCommandInput> };

/** The same files in an image that has Node, what the attackers try out, and nothing else. */
async function createImage(t: TestContext, { platform, client }: Isolated, { name, files, settings }: Attacker): Promise<void> {
  const own = Object.entries(files).map(([file, content]) => executable(`var/task/${file}`, content));
  const programs = ['/bin/sh', '/bin/cat', ...['sh', 'cat', 'env', 'id', 'ln', 'mount', 'touch'].map((name) => `/usr/bin/${name}`)].flatMap(
    (path) => programParts(path),
  );
  // In an image everything may be set-uid.
  const setuid = programs.map((part) => ({ ...part, mode: 0o6755 }));
  const parts = [...programParts(process.execPath, '/var/lang/bin/node'), ...setuid, ...own];
  const file = await archiveFile(t, { parts, config: { Entrypoint: ['/var/task/bootstrap'], WorkingDir: '/var/task' } });
  const { digest } = await platform.json<{ digest: string }>(['images', 'push', file]);
  const image = { PackageType: 'Image' as const, Code: { ImageUri: digest } };
  await client.send(new CreateFunctionCommand({ FunctionName: name, Role: ROLE, ...image, ...settings }));
}

/** Attacks as tests below `t`. After each the platform is well, the neighbour has answered meanwhile, and whatever else `look` finds holds. */
export function attacking(
  t: TestContext,
  isolated: Isolated,
  neighbour: Neighbour,
  look: () => void | Promise<void> = () => {},
): Siege['attack'] {
  return (what, run) =>
    t.test(what, async () => {
      const before = neighbour.answers;
      await run();
      await isolated.healthy();
      await look();
      await eventually(() => assert.ok(neighbour.answers > before, 'the neighbour has answered meanwhile'));
    });
}

export type Results = Readonly<Record<string, string>>;

/** Each of several attempts was refused; by an error like `code`. */
export function allRefused(results: Results, code = /^refused: /): void {
  assert.ok(Object.keys(results).length > 0);
  for (const [what, result] of Object.entries(results)) assert.match(result, code, what);
}
