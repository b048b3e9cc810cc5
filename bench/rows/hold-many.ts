/** Run by the memory row as a process of its own: URL COUNT. Asks for COUNT answers at once, prints how many instances gave them. */
import { openClient } from '../client.ts';
import { invoke } from '../hearth.ts';
import type { Hearth } from '../hearth.ts';

const [url = '', count = ''] = process.argv.slice(2);
const hearth: Hearth = { url, readyMs: 0, stop: () => Promise.resolve() };
const client = openClient();
const total = Number(count);
// Long enough for the last instance to be there before the first is free again.
const holdMs = 5_000 + total * 15;
const answers = await Promise.all(Array.from({ length: total }, () => invoke(client, hearth, 'idle', { holdMs })));
client.close();
console.log(new Set(answers.map((answer) => answer.body.toString())).size);
