/** Rules about one file by itself: its size, its constructs, and words that must not be in the tree. */
import { MAX_LINES } from './layers.ts';
import { lineAt, maskNonCode } from './source.ts';
import type { TreeFile, Violation } from './tidy.ts';

export function checkText(file: TreeFile, machinePaths: readonly string[]): Violation[] {
  const violations = [...checkSize(file), ...checkLock(file), ...checkPaths(file, machinePaths)];
  if (/\.(ts|mts|cts|tsx|js|mjs|cjs|jsx)$/.test(file.path)) violations.push(...checkConstructs(file));
  return violations;
}

function checkSize(file: TreeFile): Violation[] {
  if (!/\.(ts|mts|cts|tsx|js|mjs|cjs|jsx|py|sh)$/.test(file.path)) return [];
  const lines = file.text.split('\n').length - (file.text.endsWith('\n') ? 1 : 0);
  if (lines <= MAX_LINES) return [];
  return [{ path: file.path, line: MAX_LINES + 1, rule: 'size', message: `${lines} lines, over ${MAX_LINES}: split it by subject` }];
}

function checkLock(file: TreeFile): Violation[] {
  if (!/(^|\/)package-lock\.json$/.test(file.path)) return [];
  const addresses = findAll(file, file.text, /"resolved"\s*:/g, 'lock', () => {
    return 'a lock file with addresses ties everyone to one registry: run npm install with omit-lockfile-registry-resolved=true (.npmrc has it)';
  });
  return [...addresses, ...checkLockIsWhole(file)];
}

type Lock = { readonly packages?: Readonly<Record<string, { readonly optionalDependencies?: Readonly<Record<string, string>> }>> };

/** npm leaves a package for another platform out when it can't be fetched while the lock is written; npm ci then refuses the lock. */
function checkLockIsWhole(file: TreeFile): Violation[] {
  const packages = (JSON.parse(file.text) as Lock).packages ?? {};
  return Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies)
      .filter((name) => !packages[`node_modules/${name}`] && !packages[`${path}/node_modules/${name}`])
      .map((name) => ({
        path: file.path,
        line: lineAt(file.text, file.text.indexOf(`"${path}"`)),
        rule: 'lock',
        message: `${name}, optional for ${path || 'this package'}, has no entry, so npm ci refuses the lock: lock again from a registry that has it, or add the entry`,
      })),
  );
}

/** Paths that say whose machine this was written on. */
function checkPaths(file: TreeFile, machinePaths: readonly string[]): Violation[] {
  const advice = (found: string) => `${found} is a path of one machine: use a relative path, os.tmpdir() or an argument`;
  const known = machinePaths.flatMap((path) =>
    findAll(file, file.text, new RegExp(`(?<![\\w/.})-])${RegExp.escape(path)}/`, 'g'), 'path', advice),
  );
  return [...known, ...findAll(file, file.text, /(?<![\w/.})-])\/(?:home|Users)\/[a-z][\w-]*\//g, 'path', advice)];
}

type Construct = { readonly rule: string; readonly pattern: RegExp; readonly advice: string; readonly except?: RegExp };

const CONSTRUCTS: readonly Construct[] = [
  {
    rule: 'default-export',
    pattern: /(?<![\w$.])export\s+default\b|(?<![\w$.])export\s*\{[^}]*\bas\s+default\b/g,
    advice: 'export it by name: a thing has one name everywhere',
    // Code that a user would write, and whose form others prescribe.
    except: /^examples\/|\/fixtures\/|\.config\.ts$/,
  },
  {
    rule: 'enum',
    pattern: /(?<![\w$.])(?:const\s+)?enum\s+[A-Za-z_$][\w$]*\s*\{/g,
    advice: 'use a union of string literals, or a const object',
  },
  {
    rule: 'namespace',
    pattern: /(?<![\w$.])namespace\s+[A-Za-z_$][\w$.]*\s*\{/g,
    advice: 'a file is the namespace',
  },
  {
    rule: 'only',
    pattern: /(?<![\w$.])(?:test|it|describe|suite)\s*\.\s*only\b|\bonly\s*:\s*true\b/g,
    advice: 'take it away again: the other tests would not run',
  },
];

function checkConstructs(file: TreeFile): Violation[] {
  const code = maskNonCode(file.text);
  const constructs = CONSTRUCTS.filter((c) => !c.except?.test(file.path)).flatMap((c) =>
    findAll(file, code, c.pattern, c.rule, (found) => `${found.replace(/\s+/g, ' ')}: ${c.advice}`),
  );
  return [...constructs, ...checkSwallowed(file, code), ...checkClosing(file, code)];
}

/** `after` in its two forms: of a test's context, which is called `t`, and imported. */
function checkClosing(file: TreeFile, code: string): Violation[] {
  if (file.path === CLOSING || file.path === 'tools/test-end.ts') return [];
  const used = [...code.matchAll(/(?<![\w$.])t\s*\.\s*after(?:Each)?\b/g)];
  const imported = [...code.matchAll(/(?<![\w$.])import\s*\{[^}]*\bafter(?:Each)?\b[^}]*\}\s*from\b/g)].filter((match) =>
    /^\s*['"]node:test['"]/.test(file.text.slice(match.index + match[0].length)),
  );
  return [...used, ...imported].map((match) => ({
    path: file.path,
    line: lineAt(file.text, match.index),
    rule: 'closing',
    message: `what a test has opened is closed by ${CLOSING}, in the right order and whatever fails: use that instead of node:test's own`,
  }));
}

const CLOSING = 'test/closing.ts';

/** A catch that does nothing, without even a comment inside that says why nothing needs doing. */
function checkSwallowed(file: TreeFile, code: string): Violation[] {
  const patterns = [/\bcatch\s*(?:\([^)]*\)\s*)?\{(?<body>\s*)\}/dg, /\.\s*catch\s*\(\s*\(?[\w$]*\)?\s*=>\s*\{(?<body>\s*)\}\s*\)/dg];
  return patterns.flatMap((pattern) =>
    [...code.matchAll(pattern)]
      .filter((match) => {
        const [from, to] = match.indices!.groups!['body']!;
        return file.text.slice(from, to).trim() === '';
      })
      .map((match) => ({
        path: file.path,
        line: lineAt(file.text, match.index),
        rule: 'empty-catch',
        message: 'an error vanishes here: handle it, rethrow it with a code, or say in a comment inside why nothing needs doing',
      })),
  );
}

function findAll(file: TreeFile, text: string, pattern: RegExp, rule: string, message: (found: string) => string): Violation[] {
  return [...text.matchAll(pattern)].map((match) => ({
    path: file.path,
    line: lineAt(file.text, match.index),
    rule,
    message: message(match[0]),
  }));
}
