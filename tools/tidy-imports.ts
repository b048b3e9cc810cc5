/** Holds the imports of one file, and what it reads from its surroundings, against the table in layers.ts. */
import { builtinModules } from 'node:module';
import { posix } from 'node:path';
import { CLI_STARTS_MAIN, CARRIED, LADDER, PURE_NODE_MODULES, ROOMS, SIMULATED, STREAM_MODULES } from './layers.ts';
import type { Room } from './layers.ts';
import { lineAt } from './source.ts';
import type { Import, Source } from './source.ts';
import type { Violation } from './tidy.ts';

export function checkImports(source: Source): Violation[] {
  const place = placeOf(source.path);
  switch (place.kind) {
    case 'room':
      return checkRoom(source, place.name, place.room, place.file);
    case 'unknown':
      return [
        {
          path: source.path,
          line: 1,
          rule: 'room',
          message: `"${place.name}" is not a room: put the file into one of ${Object.keys(ROOMS).join(', ')}, or add the room to tools/layers.ts`,
        },
      ];
    case 'runtime':
      return isTest(source.path) ? [] : source.imports.flatMap((i) => checkRuntimeImport(source, place.name, i));
    case 'outside':
      return [];
  }
}

type Place =
  | { readonly kind: 'room'; readonly name: string; readonly room: Room; readonly file: string }
  | { readonly kind: 'unknown'; readonly name: string }
  | { readonly kind: 'runtime'; readonly name: string }
  | { readonly kind: 'outside' };

export function placeOf(path: string): Place {
  const [top, first, second, ...rest] = path.split('/');
  if (top === 'runtimes' && first !== undefined) return { kind: 'runtime', name: first };
  if (top !== 'src' || first === undefined) return { kind: 'outside' };
  const nested = (first === 'adapters' || first === 'api') && second !== undefined;
  const name = nested ? `${first}/${second}` : first;
  const room = ROOMS[name];
  if (!room) return { kind: 'unknown', name };
  return { kind: 'room', name, room, file: (nested ? rest : [second ?? '', ...rest]).join('/') };
}

/** Tests and what only tests import may use files, sockets, clocks and development packages; the layers hold for them, too. */
function isTest(path: string): boolean {
  return /\.(test|testing|case)\.ts$/.test(path) || /(^|\/)(fixtures|testing)\//.test(path);
}

function checkRoom(source: Source, name: string, room: Room, file: string): Violation[] {
  const test = isTest(source.path);
  const imports = source.imports.flatMap((imported) => {
    if (imported.specifier.startsWith('.')) return checkRelative(source, name, room, imported);
    return test ? [] : checkPackage(source, name, room, file, imported);
  });
  if (test || room.node === 'all' || room.except?.[file] !== undefined) return imports;
  return [...imports, ...checkAmbient(source)];
}

function checkRelative(source: Source, name: string, room: Room, imported: Import): Violation[] {
  const target = posix.join(posix.dirname(source.path), imported.specifier);
  const say = (rule: string, message: string): Violation[] => [{ path: source.path, line: imported.line, rule, message }];
  const place = placeOf(target);
  if (place.kind === 'outside' && isTest(source.path) && target.startsWith('test/')) return [];
  if (place.kind === 'runtime' && room.runtimes?.includes(place.name)) return [];
  if (place.kind !== 'room') {
    return say(
      'layers',
      `${name} imports ${target}: a room imports rooms only; reach ${target} by its path, or move what is shared into a room`,
    );
  }
  if (place.name === name || (place.name === SIMULATED && isTest(source.path))) return [];
  if (!room.imports.includes(place.name)) {
    const advice =
      place.room.layer >= room.layer
        ? 'an arrow only points down: pass it in as an argument, or move what both need into a lower room'
        : 'if it has good reason, add it to the row in tools/layers.ts';
    return say('layers', `${name} may not import ${place.name}: ${advice}`);
  }
  if (name === 'cli' && place.name === 'main' && !CLI_STARTS_MAIN.test(source.path) && !isTest(source.path)) {
    return say('layers', 'only the verbs that start something import main; the others talk HTTP to a running Hearth');
  }
  if (place.file !== 'mod.ts' && !isTest(target)) {
    return say('door', `a room is entered by its mod.ts: export it there and import from ${place.name}/mod.ts instead of ${place.file}`);
  }
  return [];
}

function checkPackage(source: Source, name: string, room: Room, file: string, imported: Import): Violation[] {
  const say = (rule: string, message: string): Violation[] => [{ path: source.path, line: imported.line, rule, message }];
  const { specifier } = imported;
  if (!specifier.startsWith('node:')) {
    if (builtinModules.includes(specifier)) return say('node-prefix', `write node:${specifier}, so that it can't be taken for a package`);
    const name0 = specifier
      .split('/')
      .slice(0, specifier.startsWith('@') ? 2 : 1)
      .join('/');
    if (room.packages?.includes(name0)) return [];
    return say(
      'packages',
      `${name} may not use the package ${name0}: packages belong at the edges; see the row of ${name} in tools/layers.ts`,
    );
  }
  if (room.node === 'all' || room.except?.[file] !== undefined) return [];
  if (PURE_NODE_MODULES.includes(specifier) || STREAM_MODULES.includes(specifier)) return [];
  if (imported.typeOnly && room.nodeTypes?.includes(specifier)) return [];
  return say(
    'ambient',
    `${name} may not load ${specifier}: take what it does as an argument, through a port; adapters and main bring the real one`,
  );
}

function checkRuntimeImport(source: Source, runtime: string, imported: Import): Violation[] {
  const say = (message: string): Violation[] => [{ path: source.path, line: imported.line, rule: 'runtimes', message }];
  const { specifier } = imported;
  if (specifier.startsWith('node:')) return [];
  if (!specifier.startsWith('.')) return say(`a runtime has no packages around it inside a sandbox: do without ${specifier}`);
  // It runs inside a sandbox, without the packages and the source around it.
  const target = placeOf(posix.join(posix.dirname(source.path), specifier));
  if (target.kind === 'runtime' && [runtime, LADDER, ...(CARRIED[runtime] ?? [])].includes(target.name)) return [];
  return say(`a runtime imports nothing from outside its folder and runtimes/${LADDER}, for that isn't there in a sandbox: ${specifier}`);
}

const CLOCK = 'take a Clock (kernel/clock.ts) as an argument';
const RANDOM = 'take a Random (kernel/random.ts) as an argument';
const OUTSIDE = 'take the value as an argument: main and cli read the surroundings';
const AMBIENT: readonly (readonly [RegExp, string])[] = [
  [/\bDate\s*\.\s*now\b/g, CLOCK],
  [/\bnew\s+Date\s*(?:\(\s*\)|(?![\s(\w]))/g, CLOCK],
  [/(?<![\w$.]|new\s)Date\s*\(/g, CLOCK],
  [/\bperformance\s*\.\s*(?:now|timeOrigin|mark|measure)\b/g, CLOCK],
  [/\bprocess\s*\.\s*(?:hrtime|uptime)\b/g, CLOCK],
  [/(?<![\w$.])set(?:Timeout|Interval)\b/g, CLOCK],
  [/\bAbortSignal\s*\.\s*timeout\b/g, CLOCK],
  [/\bTemporal\s*\.\s*Now\b/g, CLOCK],
  [/\bMath\s*\.\s*random\b/g, RANDOM],
  [/(?<![\w$#]|random\.)random(?:Bytes|UUID|Int|Fill|FillSync)\b/g, RANDOM],
  [/\bgetRandomValues\b/g, RANDOM],
  [/\bprocess\s*\.\s*(?:env|argv|cwd|stdin|stdout|stderr|exit|kill|on|once|pid|memoryUsage)\b/g, OUTSIDE],
  [/(?<![\w$.])fetch\s*\(/g, 'take the client as an argument, through a port'],
  [/\bgetBuiltinModule\b|\bcreateRequire\b/g, 'import what the room may import; see tools/layers.ts'],
];

function checkAmbient(source: Source): Violation[] {
  return AMBIENT.flatMap(([pattern, advice]) =>
    [...source.code.matchAll(pattern)].map((match) => ({
      path: source.path,
      line: lineAt(source.text, match.index),
      rule: 'ambient',
      message: `${match[0].trim()} reads the surroundings: ${advice}`,
    })),
  );
}
