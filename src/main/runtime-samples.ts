/** A smallest function for each runtime, by which its starts are measured, and what the runtime needs of this machine. */
import { execFile } from 'node:child_process';
import { access, readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { findInterpreter } from '../../runtimes/python/interpreter.ts';
import { SUPPORTED_RUNTIMES, runtimeFamily } from '../kernel/mod.ts';
import type { RuntimeFamily } from '../kernel/mod.ts';
import { ECHO } from '../../runtimes/wasm/echo.ts';

export type Sample = {
  readonly handler: string;
  readonly files: readonly SampleFile[] | (() => Promise<readonly SampleFile[]>);
  /** They are the root of a container image, which is started so. */
  readonly command?: readonly string[];
  /** What runs it here, or what is missing for it. */
  readonly look: (isolated: boolean) => Promise<Found>;
};

export type SampleFile = { readonly path: string; readonly content: string | Buffer; readonly mode?: number };

export type Found = { readonly version: string } | { readonly missing: string; readonly remedy: string };

const BASH = '/bin/bash';
const MACHINE = { x64: 'x86_64', arm64: 'arm64' }[process.arch as string] ?? process.arch;

/** Speaks the Runtime API by what bash has for TCP: no other shell is sure to be there with a client of HTTP. */
const BOOTSTRAP = `#!/bin/bash
api=/2018-06-01/runtime/invocation
# One request by a connection of its own: bash writes line by line, and on one in use a further line would wait for the first to be acknowledged.
ask() {
  local line length=0
  exec 3<>"/dev/tcp/\${AWS_LAMBDA_RUNTIME_API/://}"
  printf "$@" >&3
  while IFS= read -r line <&3 && [ "$line" != $'\\r' ]; do
    line=\${line%$'\\r'}
    case \${line,,} in
      content-length:*) length=\${line#*: } ;;
      lambda-runtime-aws-request-id:*) id=\${line#*: } ;;
    esac
  done
  LC_ALL=C IFS= read -r -N "$length" event <&3
  exec 3>&-
}
while true; do
  ask 'GET %s/next HTTP/1.1\\r\\nHost: h\\r\\n\\r\\n' "$api"
  ask 'POST %s/%s/response HTTP/1.1\\r\\nHost: h\\r\\nContent-Length: %d\\r\\n\\r\\n%s' "$api" "$id" "\${#event}" "$event"
done
`;

/** What functions are made of: a package for one of the runtimes, or an image. */
export type SampleName = RuntimeFamily | 'image';

export const SAMPLES: Readonly<Record<SampleName, Sample>> = {
  node: {
    handler: 'index.handler',
    files: [{ path: 'index.mjs', content: 'export const handler = async (event) => event;\n' }],
    look: async () => ({ version: `Node ${process.version.slice(1)}` }),
  },
  python: {
    handler: 'index.handler',
    files: [{ path: 'index.py', content: 'def handler(event, context):\n    return event\n' }],
    look: async () => {
      const identifiers = SUPPORTED_RUNTIMES.filter((identifier) => runtimeFamily(identifier) === 'python');
      const found = await Promise.all(identifiers.map((identifier) => findInterpreter(identifier)));
      const there = found.flatMap((one) => (typeof one === 'string' ? [] : [`${one.version} at ${one.file}`]));
      if (there.length > 0) return { version: `Python ${[...new Set(there)].join(', ')}` };
      return { missing: 'Python', remedy: 'Install Python 3.9 to 3.14 with ctypes, and have it in PATH as python3.' };
    },
  },
  provided: {
    handler: 'bootstrap',
    files: [{ path: 'bootstrap', content: BOOTSTRAP, mode: 0o755 }],
    look: async () => {
      const there = await access(BASH).then(
        () => true,
        () => false,
      );
      if (there) return { version: `programs for ${process.platform} on ${MACHINE}, measured with bash` };
      return { missing: '/bin/bash, by which it is measured; programs run all the same', remedy: 'Install bash.' };
    },
  },
  wasm: {
    handler: 'module.wasm',
    files: [{ path: 'module.wasm', content: ECHO }],
    look: async () => ({ version: `V8 ${process.versions.v8}` }),
  },
  image: {
    handler: '',
    files: imageOfBash,
    command: ['/bin/bash', '/bootstrap'],
    async look(isolated) {
      if (!isolated)
        return { missing: 'sandboxes: as plain processes there are no images', remedy: '"hearth doctor" says what is missing for them.' };
      const found = await SAMPLES.provided.look(isolated);
      return 'missing' in found ? found : { version: `for ${process.platform} on ${MACHINE}, measured with one of bash` };
    },
  },
};

/** Bash, and the libraries that it is linked with, where it looks for them. */
async function imageOfBash(): Promise<readonly SampleFile[]> {
  const { stdout } = await promisify(execFile)('ldd', [BASH]);
  const libraries = [...stdout.matchAll(/(\/\S+)\s\(0x/g)].map(([, path]) => path!);
  const copied = [BASH, ...libraries].map(async (path) => ({ path, content: await readFile(path), mode: 0o755 }));
  return [...(await Promise.all(copied)), { path: '/bootstrap', content: BOOTSTRAP, mode: 0o755 }];
}
