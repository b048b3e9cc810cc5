const LEVELS: Readonly<Record<number, string>> = { 20: 'debug', 30: 'info', 40: 'WARN', 50: 'ERROR' };

/** One of pino's JSON lines for eyes: time, level, message, then the fields as `name=value`; an error's stack on lines of its own. */
export function plainLine(json: string): string {
  const { time, level, msg, ...fields } = JSON.parse(json) as { readonly time: string; readonly level: number; readonly msg?: string };
  const stacks: string[] = [];
  const shown = Object.entries(fields).map(([name, value]) => {
    if (!isError(value)) return `${name}=${plainValue(value)}`;
    stacks.push(value.stack);
    return `${name}=${plainValue(value.code ?? value.type)}`;
  });
  const clock = time.slice(11, 23);
  const first = [clock, (LEVELS[level] ?? String(level)).padEnd(5), msg ?? '', ...shown].join(' ').trimEnd();
  return [first, ...stacks.map((stack) => `  ${stack.replaceAll('\n', '\n  ')}`), ''].join('\n');
}

function isError(value: unknown): value is { readonly type: string; readonly code?: string; readonly stack: string } {
  return typeof value === 'object' && value !== null && 'stack' in value && typeof value.stack === 'string' && 'type' in value;
}

function plainValue(value: unknown): string {
  return typeof value === 'string' && /^[^\s="]+$/.test(value) ? value : JSON.stringify(value);
}
