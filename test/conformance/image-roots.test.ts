/** What images bring along that is unusual, wrong or hostile, as the roots of real sandboxes. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { directory, symlink } from '../../src/adapters/images/image-bytes.testing.ts';
import type { Part } from '../../src/adapters/images/image-bytes.testing.ts';
import { openImages } from '../../src/adapters/images/mod.ts';
import { LinuxSandboxes } from '../../src/adapters/linux/mod.ts';
import type { BootResult, SandboxSpec } from '../../src/ports/mod.ts';
import { parseWeb } from '../../src/protocol/mod.ts';
import { closeAfter } from '../closing.ts';
import { archiveFile, compileServer, executable, missing, noCompiler, programParts } from '../container-images.testing.ts';
import { temporaryDirectory } from '../temporary.ts';

const skip = process.platform === 'linux' ? noCompiler : 'the fork ladder needs Linux';

type Booted = BootResult & { readonly log: string };

type Machine = {
  readonly server: Buffer;
  boot(parts: readonly Part[], command?: readonly string[], more?: Partial<SandboxSpec>): Promise<Booted>;
  /** What the server of an image answers. */
  get(booted: Booted, path: string): Promise<string>;
};

async function open(t: TestContext): Promise<Machine> {
  const place = temporaryDirectory(t);
  const packages = join(place, 'packages');
  await mkdir(join(packages, 'other'), { recursive: true, mode: 0o755 });
  await writeFile(join(packages, 'other/secret'), 'x:x:1:1:secret', { mode: 0o644 });
  const images = await openImages({ directory: join(packages, 'images') });
  closeAfter(t, () => images.close());
  const sandboxes = await LinuxSandboxes.open({ directory: join(place, 'run'), packages });
  closeAfter(t, () => sandboxes.close());
  const server = compileServer(t);
  const environment = { PATH: '/bin:/sbin', HEARTH_WEB_PORT: '8080' };
  const fixed = { label: 'test', runtime: 'provided', handler: '', layerDirectories: [], memoryMiB: 128, tmpMiB: 512, concurrency: 1 };
  return {
    server,
    async boot(parts, command = ['/server', '8080'], more = {}) {
      const { root } = await images.unpack(await archiveFile(t, { parts }));
      const image = { command, workingDirectory: '/' };
      const web = parseWeb(environment)!;
      const log: string[] = [];
      const spec = { ...fixed, environment, web, initTimeoutMs: 60_000, codeDirectory: root, image, ...more };
      const booted = await sandboxes.boot(spec, { log: (text) => void log.push(text) });
      return { ...booted, log: log.join('\n') };
    },
    get(booted, path) {
      assert.ok(booted.ok, JSON.stringify(booted));
      const [rawPath, rawQueryString = ''] = path.split('?');
      const event = { rawPath, rawQueryString, requestContext: { http: { method: 'GET' } } };
      const instance = booted.template.fork();
      return new Promise((resolve) => {
        const head = { id: '8a2b1c3d-0000-4000-8000-000000000000', deadlineMs: Date.now() + 60_000, arn: 'arn' };
        const end = (ended: { kind: string; payload?: Buffer }) => {
          instance.kill();
          resolve(ended.payload ? (JSON.parse(ended.payload.toString()) as { body: string }).body : JSON.stringify(ended));
        };
        instance.invoke(head, JSON.stringify(event), { log() {}, streamHead() {}, streamChunk() {}, end });
      });
    },
  };
}

function errorOf(booted: Booted): string {
  assert.ok(!booted.ok && booted.failure.kind === 'failed', JSON.stringify(booted));
  return `${booted.failure.error.errorType}: ${booted.failure.error.errorMessage}`;
}

test('what can not be started is said', { skip }, async (t) => {
  const { boot, server } = await open(t);
  const foreign = Buffer.from(server);
  // e_machine of s390.
  foreign.writeUInt16LE(22, 18);
  const parts = [
    executable('server', server),
    executable('bin/foreign', foreign),
    executable('bin/script', '#!/bin/no-shell\n'),
    executable('bin/text', 'echo'),
    { name: 'sbin/data', content: 'x', mode: 0o644 },
    directory('bin/directory'),
    symlink('bin/loop', 'loop'),
    symlink('bin/away', '/usr/bin/env'),
  ];
  const failure = async (...command: readonly string[]) => errorOf(await boot(parts, command));
  assert.match(await failure(), /^Runtime\.InvalidEntrypoint: .*neither an entry point nor a command$/);
  assert.match(await failure('/nothing', 'x'), /^Runtime\.InvalidEntrypoint: fork\/exec \/nothing: no such file or directory$/);
  assert.match(
    await failure('nothing'),
    /^Runtime\.InvalidEntrypoint: exec: "nothing": executable file not found in \$PATH, which is \/bin:\/sbin$/,
  );
  assert.match(await failure('data'), /executable file not found/);
  assert.match(await failure('/sbin/data'), /fork\/exec \/sbin\/data: permission denied: it is not executable$/);
  assert.match(await failure('/bin/directory'), /fork\/exec \/bin\/directory: it is not a file$/);
  assert.match(await failure('/bin/loop'), /fork\/exec \/bin\/loop: no such file or directory$/);
  // The machine has one.
  assert.ok(existsSync('/usr/bin/env'));
  assert.match(await failure('/bin/away'), /fork\/exec \/bin\/away: no such file or directory$/);
  assert.match(await failure('foreign'), /exec format error: it was built for machine 22, and this machine is /);
  assert.match(await failure('text'), /exec format error: it is neither a program of this machine nor a script/);
  assert.match(await failure('script'), /no such file or directory: its interpreter is "\/bin\/no-shell"$/);
  const away = await boot(parts, undefined, { image: { command: ['/server'], workingDirectory: '/server' } });
  assert.equal(errorOf(away), 'Runtime.InvalidWorkingDir: chdir /server: not a directory');
  const ended = await boot(parts, ['/server', '9001']);
  assert.ok(!ended.ok && ended.failure.kind === 'exited');
  assert.deepEqual(ended.failure.exit, { kind: 'exited', code: 3 });
  assert.match(ended.log, /began as \/server in \/ with 1 arguments[^]*Address already in use/);
});

test('an image that has something else in the place of what a sandbox needs gets it all the same', { skip }, async (t) => {
  const { boot, get, server } = await open(t);
  const parts = [
    executable('server', server),
    { name: 'proc', content: 'a file' },
    symlink('dev', '/server'),
    symlink('tmp', 'var/tmp'),
    directory('var/tmp'),
    symlink('etc', 'usr/etc'),
    { name: 'usr/etc/own', content: 'x' },
  ];
  assert.match(await get(await boot(parts), '/cat?/proc/self/status'), /^Name:\tserver\n/);
  assert.match(await get(await boot(parts), '/list?/dev'), /^null$/m);
  assert.equal(await get(await boot(parts), '/touch?/tmp/x'), 'done');
  assert.match(await get(await boot(parts), '/cat?/etc/hosts'), /^127\.0\.0\.1 localhost\n/);
});

test('no list of users leads out of an image', { skip }, async (t) => {
  const { boot, get, server } = await open(t);
  const own = /^sandbox:x:\d+:\d+:sandbox:\/tmp:\/sbin\/nologin\n$/;
  for (const target of ['/.packages/other/secret', '../../../../other/secret', '/etc/passwd', '/proc/self/environ']) {
    const parts = [executable('server', server), directory('etc'), symlink('etc/passwd', target)];
    assert.match(await get(await boot(parts), '/cat?/etc/passwd'), own, target);
  }
  const elsewhere = [executable('server', server), symlink('etc', '/.packages/other')];
  assert.match(await get(await boot(elsewhere), '/cat?/etc/passwd'), own);
  const endless = [executable('server', server), { name: 'etc/passwd', content: 'a:x:7:7::/:\n'.repeat(10_000) }];
  assert.match(await get(await boot(endless), '/cat?/etc/passwd'), own);
  const without = [executable('server', server), { name: 'etc/group', content: 'a:x:7:\nroot:x:0:' }];
  assert.match(await get(await boot(without), '/cat?/etc/group'), /^sandbox:x:\d+:\na:x:7:\nroot:x:0:\n$/);
});

const EXTENSION = `#!/bin/sh
api="http://$AWS_LAMBDA_RUNTIME_API/2020-01-01/extension"
head=/tmp/head
curl -sS -o /dev/null -D "$head" -H 'Lambda-Extension-Name: watcher' -d '{"events":["INVOKE"]}' "$api/register"
while IFS=: read -r name value; do
  case $name in [Ll]ambda-[Ee]xtension-[Ii]dentifier) id=\${value# } ;; esac
done < "$head"
id=$(printf %s "$id" | tr -d '\\r')
while curl -sS -H "Lambda-Extension-Identifier: $id" "$api/event/next" > /tmp/event; do echo "heard of an event"; done
`;

test(
  'extensions that an image has are started before its program; none is looked for behind a link',
  { skip: skip || missing('curl') },
  async (t) => {
    const { boot, get, server } = await open(t);
    const programs = ['/bin/sh', '/usr/bin/curl', '/usr/bin/tr'].flatMap((path) => programParts(path));
    const parts = [executable('server', server), ...programs, executable('opt/extensions/watcher', EXTENSION)];
    const environment = { PATH: '/usr/bin:/bin', HEARTH_WEB_PORT: '8080', AWS_LAMBDA_FUNCTION_NAME: 'f' };
    const booted = await boot(parts, undefined, { environment });
    assert.match(booted.log, /EXTENSION\tName: watcher\tState: Ready\tEvents: \[INVOKE\]/, booted.log);
    assert.equal(await get(booted, '/'), 'hello');
    const linked = await boot([executable('server', server), symlink('opt', '/.packages')]);
    assert.equal(await get(linked, '/'), 'hello');
  },
);

test('many instances of images and of packages are made at the same time', { skip }, async (t) => {
  const { boot, get, server } = await open(t);
  const parts = [executable('server', server)];
  const all = await Promise.all(Array.from({ length: 6 }, () => boot(parts)));
  assert.deepEqual(new Set(await Promise.all(all.map((booted) => get(booted, '/')))), new Set(['hello']));
});
