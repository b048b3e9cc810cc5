/** Programs as functions by each driver, for tests. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { BootResult, Instance, InvocationEnd, SandboxSpec } from '../../src/ports/mod.ts';
import type { LinuxOptions } from '../../src/adapters/linux/mod.ts';
import { DRIVERS, openDriver } from './drivers.testing.ts';
import type { Driver } from './drivers.testing.ts';

export { DRIVERS };

export const skips = {
  linux: process.platform === 'linux' ? missing('curl') : 'the fork ladder needs Linux',
  spawn: missing('curl'),
};

export function missing(command: string): string | false {
  return spawnSync('sh', ['-c', `command -v ${command}`]).status === 0 ? false : `there is no ${command}`;
}

/** A runtime in the shell; `body` has the event as $event and the way to answer it as $answer. */
export const shell = (body: string, init = ''): string => `#!/bin/sh
api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime"
${init}
head=\${TMPDIR:-/tmp}/head
while true; do
  event=$(curl -sS -D "$head" "$api/invocation/next")
  id=$(sed -n 's/^lambda-runtime-aws-request-id: *\\([^[:space:]]*\\).*/\\1/Ip' "$head")
  answer="$api/invocation/$id"
  ${body}
done
`;

export const ECHO = shell('curl -sS -o /dev/null -d "{\\"event\\":$event,\\"pid\\":$$}" "$answer/response"');

export type Program = { make(files: Files): Promise<string>; boot(files: Files, more?: Partial<SandboxSpec>): Promise<Booted> };
export type Files = Readonly<Record<string, string | Buffer | { readonly content: string; readonly mode: number }>>;
export type Booted = BootResult & { readonly log: string[] };

export async function open(t: TestContext, driver: Driver, hierarchies?: LinuxOptions['hierarchies']): Promise<Program> {
  const { sandboxes, newPackage } = await openDriver(t, driver, { hierarchies });
  const make = async (files: Files): Promise<string> => {
    const made = await newPackage();
    for (const [name, file] of Object.entries(files)) {
      const { content, mode } = typeof file === 'object' && 'mode' in file ? file : { content: file, mode: 0o755 };
      await writeFile(join(made, name), content);
      await chmod(join(made, name), mode);
    }
    return made;
  };
  return {
    make,
    async boot(files, more = {}) {
      const codeDirectory = await make(files);
      const log: string[] = [];
      const environment = { PATH: '/usr/local/bin:/usr/bin:/bin' };
      const fixed = { label: 'test', runtime: 'provided.al2023', handler: 'x', layerDirectories: [], environment, tmpMiB: 512 };
      const spec = { ...fixed, codeDirectory, memoryMiB: 128, initTimeoutMs: 60_000, concurrency: 1, ...more };
      return { ...(await sandboxes.boot(spec, { log: (text) => void log.push(text) })), log };
    },
  };
}

export type Answered = { readonly end: InvocationEnd; readonly value: unknown; readonly log: string };

export function invoke(instance: Instance, event: unknown = {}, onLog = (_text: string) => {}): Promise<Answered> {
  const log: string[] = [];
  const say = (text: string) => {
    log.push(text);
    onLog(text);
  };
  instance.onLog = say;
  return new Promise((resolve) => {
    const head = { id: '8a2b1c3d-0000-4000-8000-000000000000', deadlineMs: Date.now() + 60_000, arn: 'arn' };
    instance.invoke(head, JSON.stringify(event), {
      log: say,
      streamHead() {},
      streamChunk() {},
      end(end) {
        const value = end.kind === 'answered' ? (JSON.parse(end.payload.toString()) as unknown) : undefined;
        resolve({ end, value, log: log.join('\n') });
      },
    });
  });
}

export function templateOf(booted: Booted) {
  assert.ok(booted.ok, `${JSON.stringify(booted)} ${booted.log.join('\n')}`);
  return booted.template;
}

export function failureOf(booted: Booted) {
  assert.ok(!booted.ok, 'it booted');
  return booted.failure;
}

/** What the function's caller is told. */
export function errorOf(booted: Booted): string {
  const failure = failureOf(booted);
  assert.ok(failure.kind === 'failed', JSON.stringify(failure));
  return `${failure.error.errorType}: ${failure.error.errorMessage}`;
}
