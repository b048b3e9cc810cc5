/** Functions from source, booted by the real driver, for tests. */
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { closeAfter } from '../../../test/closing.ts';
import { temporaryDirectory } from '../../../test/temporary.ts';
import { systemClock } from '../../kernel/mod.ts';
import type { Clock } from '../../kernel/mod.ts';
import type { Instance, InvocationEnd, SandboxSpec, Template } from '../../ports/mod.ts';
import { LinuxSandboxes } from './mod.ts';
import type { LinuxOptions } from './mod.ts';

export const skip = process.platform === 'linux' ? false : 'the fork ladder needs Linux';

export type Templates = {
  /** `files` beside the module, by name. */
  boot(code: string, more?: Partial<SandboxSpec>, files?: Readonly<Record<string, string>>): Promise<Template>;
};

/** Everything is closed and removed after the test. */
export async function openTemplates(
  t: TestContext,
  clock: Clock = systemClock,
  more: Pick<LinuxOptions, 'connected' | 'hierarchies' | 'runtime'> = {},
): Promise<Templates> {
  const directory = temporaryDirectory(t);
  const packages = join(directory, 'packages');
  await mkdir(packages);
  const sandboxes = await LinuxSandboxes.open({ directory: join(directory, 'run'), packages, clock, ...more });
  closeAfter(t, () => sandboxes.close());
  let made = 0;
  return {
    async boot(code, more = {}, files = {}) {
      const codeDirectory = join(packages, `code-${made++}`);
      await mkdir(codeDirectory, { mode: 0o755 });
      for (const [name, text] of Object.entries({ 'index.mjs': code, ...files })) {
        await mkdir(dirname(join(codeDirectory, name)), { recursive: true, mode: 0o755 });
        await writeFile(join(codeDirectory, name), text, { mode: 0o644 });
      }
      const fixed = { label: 'test', runtime: 'nodejs26.x', handler: 'index.handler', layerDirectories: [], environment: {} };
      const output: string[] = [];
      const booted = await sandboxes.boot(
        { ...fixed, codeDirectory, memoryMiB: 128, tmpMiB: 16, initTimeoutMs: 60_000, concurrency: 1, ...more },
        { log: (text) => void output.push(text) },
      );
      assert.ok(booted.ok, `${JSON.stringify(booted)} ${output.join('\n')}`);
      return booted.template;
    },
  };
}

/**
 * The template of an instance as this host sees it, by the pid that the instance gives itself, other than any that a blank sandbox has. An
 * instance can do nothing to it, the host can.
 */
export const templatePidOf = (pid: number): number => parentsOf(pid).template;

/** The same, its parent, and the instance, by the pid that a child of the template gives itself. */
export function parentsOf(pid: number): { readonly instance: number; readonly template: number; readonly keeper: number } {
  const { instance, keeper } = find(pid);
  return { instance: instance.pid, template: instance.parent, keeper };
}

/** The pids that all processes of an instance's sandbox but its keeper give themselves: template, instances, what they have started. */
export function processesBeside(pid: number): number[] {
  const { keeper, below } = find(pid);
  return below(keeper).map(({ inside }) => inside);
}

function find(pid: number): { readonly instance: Status; readonly keeper: number; readonly below: (parent: number) => Status[] } {
  const statuses = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => statusOf(Number(name)) ?? []);
  const below = (parent: number): Status[] =>
    statuses.filter((status) => status.parent === parent).flatMap((status) => [status, ...below(status.pid)]);
  const [instance, ...others] = below(process.pid).filter((status) => status.inside === pid);
  assert.ok(instance && others.length === 0, `${others.length} others have pid ${pid}`);
  return { instance, keeper: statuses.find(({ pid: parent }) => parent === instance.parent)!.parent, below };
}

/** `inside`: the pid in the innermost namespace. */
type Status = { readonly pid: number; readonly parent: number; readonly inside: number };

function statusOf(pid: number): Status | undefined {
  try {
    const [, state, parent, inside] = /^State:\t(\w)[^]*^PPid:\t(\d+)$[^]*^NSpid:.*\t(\d+)$/m.exec(
      readFileSync(`/proc/${pid}/status`, 'latin1'),
    )!;
    return state === 'Z' ? undefined : { pid, parent: Number(parent), inside: Number(inside) };
  } catch {
    // It ended between two looks.
    return undefined;
  }
}

export function invoke(instance: Instance, event: unknown = {}): Promise<InvocationEnd & { readonly value?: unknown }> {
  return new Promise((resolve) => {
    const head = { id: '8a2b1c3d-0000-4000-8000-000000000000', deadlineMs: Date.now() + 60_000, arn: 'arn' };
    instance.invoke(head, Buffer.from(JSON.stringify(event)), {
      log() {},
      streamHead() {},
      streamChunk() {},
      end: (heard) => resolve(heard.kind === 'answered' ? { ...heard, value: JSON.parse(heard.payload.toString()) as unknown } : heard),
    });
  });
}

export async function valueOf(instance: Instance, event?: unknown): Promise<unknown> {
  const end = await invoke(instance, event);
  assert.equal(end.kind, 'answered', JSON.stringify(end));
  return end.value;
}
