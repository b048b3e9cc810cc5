/**
 * node tools/warming-prior.ts TRACE    writes src/policy/warming/prior.ts: what is known of functions in general before a host has any of its own.
 * It is learnt from one half of a trace in the compact form, by application, so that the other half can tell what it is good for.
 */
import { createReadStream, writeFileSync } from 'node:fs';
import { deflateRawSync } from 'node:zlib';
import { halfOf, readTrace, recognised, trained } from '../src/replay/mod.ts';

const [path] = process.argv.slice(2);
if (path === undefined) throw new Error('which trace? node tools/warming-prior.ts ../shared/traces/azure2019_500fn_8h/compact.json');
const { trace } = await readTrace([{ name: path, open: () => createReadStream(path) }], { name: 'azure2019', format: 'compact' });
const half = recognised(halfOf(trace, 'tuned'));
const text = deflateRawSync(trained(half).save(), { level: 9 }).toString('base64');
const lines = text.match(/.{1,132}/g) ?? [];

writeFileSync(
  new URL('../src/policy/warming/prior.ts', import.meta.url),
  `/**
 * What is known of functions in general before a host has any of its own: counts of ${half.functions.length} functions of the Azure Functions Trace 2019
 * (Microsoft, CC-BY 4.0; Shahrad et al., "Serverless in the Wild", USENIX ATC 2020), as Population.save gives them. Made by
 * tools/warming-prior.ts.
 */
import { inflateRawSync } from 'node:zlib';
import { Population } from './population.ts';

export function shippedPopulation(): Population {
  const population = new Population();
  population.load(inflateRawSync(Buffer.from(COUNTS.join(''), 'base64')));
  return population;
}

const COUNTS: readonly string[] = [
${lines.map((line) => `  '${line}',`).join('\n')}
];
`,
);
