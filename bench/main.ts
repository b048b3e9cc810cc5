/**
 * npm run bench                          every row, about ten minutes; 10,000 instances need 24 GiB
 * npm run bench -- memory first          rows with one of the words in their name
 * npm run bench -- --json                one object on stdout; progress goes to stderr
 * npm run bench -- --quick               a short run that shows that everything works; its figures are noise
 * npm run bench -- --strict              exit code 1 also when a target is missed, not only when a row can't be measured
 */
import { parseArgs } from 'node:util';
import { endEverything } from './children.ts';
import { FULL, QUICK, reached } from './row.ts';
import type { Finding, Row } from './row.ts';
import { burstFromZero } from './rows/burst.ts';
import { flood, squareWave } from './rows/load-changes.ts';
import { customFirstAnswer, customFurtherInstance } from './rows/custom.ts';
import { afterLargeInit, afterLongInit } from './rows/heavy.ts';
import { memoryPerFunction, memoryPerInstance, tenThousandIdle } from './rows/memory.ts';
import { neighbours } from './rows/neighbour.ts';
import { memoryPressure } from './rows/pressure.ts';
import { pythonFirst, pythonFurther, pythonMemory, pythonWarm } from './rows/python.ts';
import { readyAfterStart } from './rows/ready.ts';
import { evictionUnderPressure, heldOut, warmingCost, withoutSchedules, withSchedules } from './rows/replay.ts';
import { firstAnswer, furtherInstance } from './rows/starts.ts';
import { warmLatency, warmThroughput } from './rows/warm.ts';
import { wasmFurther, wasmThroughput } from './rows/wasm.ts';
import { machine, toJson, toTable } from './table.ts';

const ROWS: readonly Row[] = [
  warmThroughput,
  warmLatency,
  firstAnswer,
  furtherInstance,
  afterLongInit,
  afterLargeInit,
  customFirstAnswer,
  customFurtherInstance,
  burstFromZero,
  flood,
  squareWave,
  memoryPerInstance,
  memoryPerFunction,
  tenThousandIdle,
  memoryPressure,
  readyAfterStart,
  wasmThroughput,
  wasmFurther,
  pythonWarm,
  pythonFirst,
  pythonFurther,
  pythonMemory,
  withSchedules,
  withoutSchedules,
  heldOut,
  evictionUnderPressure,
  warmingCost,
  ...neighbours,
];

const flag = { type: 'boolean', default: false } as const;
const { values, positionals } = parseArgs({ options: { json: flag, quick: flag, strict: flag }, allowPositionals: true });
const rows = ROWS.filter((row) => positionals.length === 0 || positionals.some((word) => row.name.includes(word)));

process.once('exit', endEverything);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(130));

if (rows.length === 0) {
  console.error(`no row has that in its name; there are:\n${ROWS.map((row) => `  ${row.name}`).join('\n')}`);
  process.exitCode = 2;
} else {
  await run();
}

async function run(): Promise<void> {
  const findings: Finding[] = [];
  const failures: { readonly row: string; readonly message: string }[] = [];
  for (const row of rows) {
    console.error(`measuring: ${row.name}`);
    const missing = row.missing?.();
    if (missing !== undefined) {
      console.error(`  skipped: ${missing}`);
      continue;
    }
    try {
      findings.push(...(await row.measure(values.quick ? QUICK : FULL)));
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      console.error(`  failed: ${message}`);
      failures.push({ row: row.name, message });
    }
  }
  if (values.json) console.log(JSON.stringify(toJson(findings, failures, values.quick)));
  else print(findings, failures.length);
  process.exitCode = failures.length > 0 || (values.strict && !findings.every(reached)) ? 1 : 0;
}

function print(findings: readonly Finding[], failed: number): void {
  const { cpu, cores, memoryGiB, system, node } = machine();
  console.log(`\n${cpu}, ${cores} cores, ${memoryGiB} GiB, ${system}, Node ${node}${values.quick ? '; quick: figures are noise' : ''}\n`);
  console.log(toTable(findings));
  if (failed > 0) console.log(`\n${failed} of ${rows.length} rows could not be measured`);
}
