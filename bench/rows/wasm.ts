/** WebAssembly modules: each invocation with the state that init left, against a Node function that answers the same; and further instances. */
import { expectStatus } from '../client.ts';
import type { Answer, Client } from '../client.ts';
import { furtherTimes, settled } from '../further.ts';
import { HEADERS, createUrl, deploy, invoke, waitUntilActive, withHearth } from '../hearth.ts';
import type { Hearth } from '../hearth.ts';
import { median } from '../row.ts';
import type { Row } from '../row.ts';
import { stepsOf } from '../steps.ts';
import { wrk } from '../wrk.ts';

const ANSWER = '{"statusCode":200,"headers":{"content-type":"application/json"},"body":"{\\"message\\":\\"hello from a function\\"}"}';
const quoted = (text: string): string => JSON.stringify(text);

/** A WASI command: it reads its event, writes its answer, and changes its memory and a global on the way. */
const COMMAND = `(module
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 2)
  (global $calls (mut i32) (i32.const 0))
  (data (i32.const 1024) ${quoted(ANSWER)})
  (func (export "_start")
    (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
    (i32.store (i32.const 0) (i32.const 4096)) (i32.store (i32.const 4) (i32.const 65536))
    (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
    (i32.store (i32.const 0) (i32.const 1024)) (i32.store (i32.const 4) (i32.const ${Buffer.byteLength(ANSWER)}))
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))`;

const NODE = `export const handler = async () => (${ANSWER});\n`;

/** Says how often its instance was called, as HOLDING does; an event that asks for more than {} holds the instance for 40 s. */
const HOLDING = `(module
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 4)
  (global $served (mut i32) (i32.const 0))
  (data (i32.const 0) "{\\"served\\":0}")
  (data (i32.const 64) "\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00\\01\\00\\00\\00\\00\\00\\00\\00\\00\\90\\2f\\50\\09\\00\\00\\00")
  (func (export "allocate") (param i32) (result i32) (i32.const 4096))
  (func (export "handle") (param i32 i32) (result i64)
    (global.set $served (i32.add (global.get $served) (i32.const 1)))
    (if (i32.gt_u (local.get 1) (i32.const 2)) (then (drop (call $poll (i32.const 64) (i32.const 256) (i32.const 1) (i32.const 512)))))
    (i32.store8 (i32.const 10) (i32.add (i32.const 48) (global.get $served)))
    (i64.const 12)))`;

export const wasmThroughput: Row = {
  name: 'WebAssembly command, warm function URL, 64 connections',
  measure: (scale) =>
    withHearth(async (client, hearth) => {
      await deployModule(client, hearth, { name: 'command', wat: COMMAND });
      await deploy(client, hearth, { name: 'node', source: NODE });
      const figures = new Map<string, number[]>();
      const addresses = new Map<string, { readonly url: string; readonly host: string }>();
      for (const name of ['command', 'node']) {
        await waitUntilActive(client, hearth, name);
        const { url, host } = await createUrl(client, hearth, name);
        expectStatus(await client.call({ url, headers: { host } }), name, 200);
        addresses.set(name, { url, host });
        figures.set(name, []);
      }
      for (let round = -1; round < scale.rounds; round++) {
        for (const [name, address] of addresses) {
          const { requestsPerSecond } = await wrk({ ...address, connections: 64, seconds: scale.seconds });
          if (round >= 0) figures.get(name)!.push(requestsPerSecond);
        }
      }
      const [hearthFigure, nodeFigure] = [median(figures.get('command')!), median(figures.get('node')!)];
      const target = { of: 'ratio', bound: 'atLeast', limit: 0.8 } as const;
      return [
        {
          row: wasmThroughput.name,
          unit: 'requests/s',
          hearth: hearthFigure,
          peer: { name: 'Node function', value: nodeFigure },
          target,
          samples: scale.rounds,
        },
      ];
    }),
};

export const wasmFurther: Row = {
  name: 'WebAssembly, further instance of a running function, p50',
  measure: (scale) =>
    withHearth(async (client, hearth) => {
      await deployModule(client, hearth, { name: 'holding', wat: HOLDING, grants: 'keep' });
      await waitUntilActive(client, hearth, 'holding');
      const warm: number[] = [];
      // In turn with new instances, and after the same rest: what else the machine does hits both alike, and a machine at rest wakes up for both.
      const answers: Answer[] = [];
      const beside = async (answer: Answer) => {
        answers.push(answer);
        await settled();
        warm.push((await invoke(client, hearth, 'holding', {})).ms);
      };
      const times = await furtherTimes({ client, hearth, name: 'holding', count: scale.furtherInstances, beside });
      const target = { of: 'difference', bound: 'atMost', limit: 1 } as const;
      return [
        {
          row: wasmFurther.name,
          unit: 'ms',
          hearth: median(times),
          peer: { name: 'warm invocation', value: median(warm) },
          target,
          samples: times.length,
          starts: await stepsOf(client, hearth, answers),
        },
      ];
    }),
};

async function deployModule(
  client: Client,
  hearth: Hearth,
  { name, wat, grants }: { readonly name: string; readonly wat: string; readonly grants?: string },
): Promise<void> {
  const body = JSON.stringify({
    FunctionName: name,
    Runtime: 'wasm',
    Role: 'arn:aws:iam::000000000000:role/bench',
    Timeout: 60,
    Code: { ZipFile: Buffer.from(wat).toString('base64') },
    ...(grants !== undefined && { Tags: { 'hearth:wasm': grants } }),
  });
  const answer = await client.call({ url: `${hearth.url}/2015-03-31/functions`, method: 'POST', headers: HEADERS, body });
  expectStatus(answer, `CreateFunction ${name}`, 201);
}
