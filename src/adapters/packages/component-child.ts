/** The process in which a component is translated: see component.ts. Its arguments: the paths of the translator and of what it imports. The component comes on standard input. */
import { readFileSync, writeSync } from 'node:fs';
import { registerHooks } from 'node:module';

type File = readonly [name: string, bytes: Uint8Array];
type Translator = {
  readonly $init: Promise<void>;
  readonly generate: (
    component: Uint8Array,
    options: object,
  ) => { readonly files: readonly File[]; readonly exports: readonly (readonly string[])[] };
};

const SHIM = '@bytecodealliance/preview2-shim/';
const OPTIONS = {
  name: 'component',
  // Nothing is fetched or read by the code that comes out: it is handed its modules, and what it imports.
  instantiation: { tag: 'sync' },
  noNodejsCompat: true,
  base64Cutoff: 0,
  noTypescript: true,
  noNamespacedExports: true,
};

type Answer =
  | { readonly wrong: string }
  | { readonly exports: readonly string[]; readonly files: readonly { name: string; bytes: number }[] };

/** One line of JSON, and the files that it names. */
function answer(head: Answer, files: readonly File[] = []): void {
  for (const part of [Buffer.from(`${JSON.stringify(head)}\n`), ...files.map(([, bytes]) => bytes)])
    for (let at = 0; at < part.length;) at += writeSync(1, part, at);
}

// The shim that it brings along has threads and native code, for files that it has no business with here.
registerHooks({
  resolve: (name, context, next) => next(name.startsWith(SHIM) ? process.argv[3]! : name, context),
});

try {
  const { $init, generate } = (await import(process.argv[2]!)) as Translator;
  await $init;
  const { files, exports } = generate(readFileSync(0), OPTIONS);
  answer({ exports: exports.map(([name]) => name!), files: files.map(([name, bytes]) => ({ name, bytes: bytes.length })) }, files);
} catch (error) {
  const { payload, message } = error as Error & { readonly payload?: string };
  answer({ wrong: payload ?? message });
}
