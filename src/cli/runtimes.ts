import type { RuntimeReport } from '../main/mod.ts';
import type { Context } from './context.ts';
import { EXIT } from './exit-codes.ts';

/** Lists what this machine can run, with what starts cost here. Exit code 1 when it can run nothing. */
export async function runtimes({ out }: Context): Promise<number> {
  const { surveyRuntimes } = await import('../main/mod.ts');
  const survey = await out.progress('running a function of each runtime', surveyRuntimes());
  out.result(survey, () => {
    const { dim, bold, yellow } = out.paint;
    const lines = survey.runtimes.flatMap((report) => [lineOf(report, out.paint), `  ${dim(report.identifiers.join(', '))}`]);
    const isolation = survey.isolated ? '' : ` ${yellow('without isolation; "hearth doctor" says why')}`;
    return [
      ...lines,
      '',
      `measured by driver ${bold(survey.driver)}:${isolation} first answer of new code, further instance, warm answer`,
    ].join('\n');
  });
  return survey.runtimes.some(({ available }) => available) ? EXIT.ok : EXIT.failed;
}

function lineOf(
  { name, available, version, missing, remedy, firstMs, furtherMs, warmMs }: RuntimeReport,
  paint: Context['out']['paint'],
): string {
  const head = `${available ? paint.green('ok     ') : paint.red('missing')} ${paint.bold(name.padEnd(9))}`;
  if (!available) return `${head} ${missing}\n                  ${remedy}`;
  return `${head} ${version}  ${paint.dim(`${firstMs} ms, ${furtherMs} ms, ${warmMs} ms`)}`;
}
