/** The warm path: a function URL under load, and with one connection, against servers that answer the same bytes. */
import { openClient, expectStatus } from '../client.ts';
import type { Answer } from '../client.ts';
import { createUrl, deploy, startHearth, waitUntilActive } from '../hearth.ts';
import { startBare } from '../peers/bare.ts';
import { startWorkerd } from '../peers/workerd.ts';
import { median } from '../row.ts';
import type { Finding, Row, Scale } from '../row.ts';
import { wrk } from '../wrk.ts';

export const warmThroughput: Row = {
  name: 'warm function URL, 64 connections',
  async measure(scale) {
    const figures = await withContenders((contenders) => inTurns(contenders, 64, scale));
    const figure = (name: string) => median(figures.get(name)!.map((result) => result.requestsPerSecond));
    const common = { row: this.name, unit: 'requests/s', hearth: figure('hearth'), samples: scale.rounds };
    return [
      { ...common, peer: { name: 'bare node:http', value: figure('bare') }, target: { of: 'ratio', bound: 'atLeast', limit: 0.6 } },
      { ...common, peer: { name: 'workerd static', value: figure('workerd') }, target: { of: 'ratio', bound: 'atLeast', limit: 2 } },
    ] satisfies Finding[];
  },
};

export const warmLatency: Row = {
  name: 'warm function URL, 1 connection, p50',
  async measure(scale) {
    const figures = await withContenders((contenders) =>
      inTurns(
        contenders.filter((contender) => contender.name !== 'workerd'),
        1,
        scale,
      ),
    );
    const figure = (name: string) => median(figures.get(name)!.map((result) => result.p50Us));
    return [
      {
        row: this.name,
        unit: 'us',
        hearth: figure('hearth'),
        peer: { name: 'bare node:http', value: figure('bare') },
        target: { of: 'difference', bound: 'atMost', limit: 100 },
        samples: scale.rounds,
      },
    ];
  },
};

const SOURCE = `export const handler = async () => ({
  statusCode: 200,
  headers: { 'content-type': 'application/json' },
  body: '{"message":"hello from a function"}',
});
`;

type Contender = { readonly name: string; readonly url: string; readonly host?: string };

async function withContenders<T>(use: (contenders: readonly Contender[]) => Promise<T>): Promise<T> {
  const hearth = await startHearth();
  const client = openClient();
  const stops = [hearth.stop];
  try {
    await deploy(client, hearth, { name: 'warm', source: SOURCE });
    await waitUntilActive(client, hearth, 'warm');
    const { url, host } = await createUrl(client, hearth, 'warm');
    const ask = (address: string): Promise<Answer> => client.call({ url: address, headers: { host } });
    const answer = expectStatus(await ask(url), 'the function URL', 200);
    const bare = await startBare(answer);
    stops.push(bare.stop);
    const workerd = await startWorkerd(answer);
    stops.push(workerd.stop);
    for (const peer of [bare.url, workerd.staticUrl]) {
      const said = expectStatus(await ask(peer), peer, 200);
      if (!said.body.equals(answer.body)) throw new Error(`${peer} answers other bytes than the function URL`);
    }
    return await use([
      { name: 'hearth', url, host },
      { name: 'bare', url: bare.url, host },
      { name: 'workerd', url: workerd.staticUrl, host },
    ]);
  } finally {
    client.close();
    await Promise.all(stops.map((stop) => stop()));
  }
}

/** Each contender once per round, one after the other, after a round that isn't counted: what else the machine does hits all alike. */
async function inTurns(contenders: readonly Contender[], connections: number, scale: Scale) {
  const figures = new Map(contenders.map(({ name }) => [name, [] as Awaited<ReturnType<typeof wrk>>[]]));
  for (let round = -1; round < scale.rounds; round++) {
    for (const { name, ...address } of contenders) {
      const result = await wrk({ ...address, connections, seconds: scale.seconds });
      if (round >= 0) figures.get(name)!.push(result);
    }
  }
  return figures;
}
