/** What a function may try against the machine it runs on. Each goes on until its invocation is ended by timeout, or by what it ran into. */
export type Attack = {
  readonly name: string;
  /** Instances that do it at a time. */
  readonly instances: number;
  /** The body of an async handler in a module that has `fs`, `spawn`, `Worker` and `soon`, which resolves in the next turn. */
  readonly body: string;
};

export const ATTACKS: readonly Attack[] = [
  { name: 'CPU spin in many instances', instances: 8, body: 'for (;;);' },
  {
    name: 'a memory bomb',
    instances: 2,
    body: 'const kept = []; for (;;) { kept.push(Buffer.alloc(2 ** 20, 1)); await soon(); }',
  },
  { name: 'a fork bomb', instances: 2, body: "spawn('/bin/sh', ['-c', 'bomb() { bomb | bomb & }; bomb']); for (;;) await soon();" },
  {
    name: 'a thread bomb',
    instances: 2,
    body: "for (;;) { new Worker('setInterval(() => {}, 1_000)', { eval: true }).on('error', () => {}); await soon(); }",
  },
  {
    name: 'a full disk',
    instances: 2,
    body: "for (let i = 0; ; i++) { try { fs.writeFileSync('/tmp/' + i, Buffer.alloc(2 ** 24, 1)); } catch { await soon(); } }",
  },
  {
    name: 'no inodes left',
    instances: 2,
    body: "for (let i = 0; ; i++) { try { fs.writeFileSync('/tmp/' + i, ''); } catch { await soon(); } }",
  },
  { name: 'no descriptors left', instances: 2, body: "for (;;) { try { fs.openSync('/dev/null'); } catch { await soon(); } }" },
  { name: 'a flood of lines', instances: 2, body: "const line = 'x'.repeat(1_000) + '\\n'; for (;;) fs.writeSync(1, line);" },
  { name: 'a flood without a line', instances: 2, body: "const text = 'x'.repeat(65_536); for (;;) fs.writeSync(1, text);" },
];

export const attackSource = (attack: Attack): string => `import fs from 'node:fs';
import { spawn } from 'node:child_process';
import { Worker } from 'node:worker_threads';
const soon = () => new Promise((resolve) => setImmediate(resolve));
export const handler = async () => { ${attack.body} };
`;
