import type { Context } from './context.ts';
import { EXIT } from './exit-codes.ts';

/** Says what this machine offers. Exit code 1 when functions would run without isolation. */
export async function doctor({ out }: Context): Promise<number> {
  const { diagnose } = await import('../main/mod.ts');
  const diagnosis = await out.progress('looking at this machine', diagnose());
  out.result(diagnosis, () => {
    const { green, red, dim, bold } = out.paint;
    const lines = diagnosis.findings.map(({ name, ok, detail, remedy }) => {
      const line = `${ok ? green('ok     ') : red('missing')} ${name.padEnd(18)} ${dim(detail)}`;
      return remedy === undefined ? line : `${line}\n        ${' '.repeat(18)} ${remedy}`;
    });
    const verdict = diagnosis.isolated ? green('functions are isolated') : red('functions run WITHOUT isolation');
    return [...lines, '', `driver ${bold(diagnosis.driver)}: ${verdict}. ${diagnosis.reason}`].join('\n');
  });
  return diagnosis.isolated ? EXIT.ok : EXIT.failed;
}
