/**
 * Run as a process of its own: URL FUNCTION COUNT UNTIL_MS. Asks for COUNT answers at once, each of which is given at UNTIL_MS (epoch) and not
 * before, so that each needs an instance of its own. Prints a `Crowd` as one line of JSON.
 */
import { openClient } from '../client.ts';
import { invoke } from '../hearth.ts';
import type { Hearth } from '../hearth.ts';
import type { Crowd } from '../crowd.ts';

const [url = '', name = '', count = '', untilMs = ''] = process.argv.slice(2);
const hearth: Hearth = { url, readyMs: 0, stop: () => Promise.resolve() };
const client = openClient();
const sentMs = Date.now();
const asked = Array.from({ length: Number(count) }, () => invoke(client, hearth, name, { untilMs: Number(untilMs) }));
const answers = await Promise.allSettled(asked);
client.close();
const given = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value.body.toString()] : []));
const begun = given.map((body) => JSON.parse(body) as { readonly id: string | number; readonly begunMs: number });
const failure = answers.find((answer) => answer.status === 'rejected');
const crowd: Crowd = {
  ids: begun.map(({ id }) => id),
  beganAfterMs: begun.map(({ begunMs }) => begunMs - sentMs),
  failures: answers.length - given.length,
  ...(failure && { failure: String(failure.reason) }),
};
console.log(JSON.stringify(crowd));
