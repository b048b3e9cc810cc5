/** The platform is killed while functions are created, changed and deleted; what it acknowledged is there after a new start. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { temporaryDirectory } from '../temporary.ts';
import { descendants, footprint, isAlive } from './footprint.ts';
import { eventually, startIsolated } from './platform.ts';
import type { Isolated } from './platform.ts';

const ROUNDS = 6;
const CLIENTS = 4;
const NAMES_PER_CLIENT = 3;

test(`nothing acknowledged is lost over ${ROUNDS} times of kill -9 while clients deploy`, { timeout: 300_000 }, async (t) => {
  const data = temporaryDirectory(t);
  const clients = Array.from({ length: CLIENTS }, (_, index) => new Client(index));
  for (let round = 0; round < ROUNDS; round++) {
    const isolated = await startIsolated(t, data);
    if (!isolated) return;
    for (const client of clients) await client.verify(isolated);
    await eventually(() => assert.equal(footprint(isolated.platform).blobs.length, new Set(clients.flatMap((c) => c.texts())).size));
    await killedWhileDeploying(isolated, clients, 5 + round * 8);
  }
  const isolated = await startIsolated(t, data);
  for (const client of clients) await client.verify(isolated!);
  const acknowledged = clients.reduce((sum, client) => sum + client.acknowledged, 0);
  t.diagnostic(`${acknowledged} changes were acknowledged`);
  assert.ok(acknowledged > ROUNDS * CLIENTS);
});

async function killedWhileDeploying({ platform, ...rest }: Isolated, clients: readonly Client[], changes: number): Promise<void> {
  const wanted = clients.reduce((sum, client) => sum + client.acknowledged, 0) + changes;
  const { promise: enough, resolve } = Promise.withResolvers<void>();
  const onChange = () => {
    if (clients.reduce((sum, client) => sum + client.acknowledged, 0) >= wanted) resolve();
  };
  const ends = clients.map((client) => client.deployUntilKilled({ platform, ...rest }, onChange));
  await Promise.race([enough, Promise.all(ends)]);
  const family = descendants(platform.process.pid!);
  assert.equal(await platform.stop('SIGKILL'), 'SIGKILL');
  await Promise.all(ends);
  await eventually(() => assert.deepEqual(family.filter(isAlive), [], 'processes of the killed platform'));
  assert.ok(!readFileSync('/proc/self/mountinfo', 'utf8').includes(platform.data));
}

const ABSENT = '(absent)';

/** Deploys to names of its own. Of each it knows what it may be: one thing, or two when the answer to a change never came. */
class Client {
  acknowledged = 0;
  readonly #states = new Map<string, readonly string[]>();
  #serial = 0;

  constructor(index: number) {
    for (let i = 0; i < NAMES_PER_CLIENT; i++) this.#states.set(`client-${index}-${i}`, [ABSENT]);
  }

  texts(): string[] {
    return [...this.#states.values()].flat().filter((text) => text !== ABSENT);
  }

  async deployUntilKilled(isolated: Isolated, onChange: () => void): Promise<void> {
    for (;;) {
      for (const [name, [state]] of this.#states) {
        const next = state !== ABSENT && this.#serial % 4 === 3 ? ABSENT : `${name}: ${this.#serial}`;
        this.#serial++;
        this.#states.set(name, [state!, next]);
        try {
          await change(isolated, name, state!, next);
        } catch (error) {
          // The platform is gone. Anything that it answered is an answer, and no reason to fail a change.
          assert.equal((error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode, undefined, String(error));
          return;
        }
        this.#states.set(name, [next]);
        this.acknowledged++;
        onChange();
      }
    }
  }

  async verify({ invoke }: Isolated): Promise<void> {
    for (const [name, possible] of this.#states) {
      const found = await invoke(name).then(
        ({ value }) => value as string,
        (error: Error) => {
          assert.equal(error.name, 'ResourceNotFoundException', String(error));
          return ABSENT;
        },
      );
      assert.ok(possible.includes(found), `${name} is "${found}" and should be "${possible.join('" or "')}"`);
      this.#states.set(name, [found]);
    }
  }
}

async function change(isolated: Isolated, name: string, state: string, next: string): Promise<void> {
  const source = `export const handler = async () => ${JSON.stringify(next)};`;
  if (next === ABSENT) await isolated.remove(name);
  else if (state === ABSENT) await isolated.create(name, source);
  else await isolated.update(name, source);
}
