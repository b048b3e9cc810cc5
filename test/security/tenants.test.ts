/** What one function was given and said is in no memory of another, whatever they share: zygotes, blank sandboxes, buffers of the host. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { besiege, source as sourceOf } from './siege.ts';

type Found = { readonly found: number; readonly bytes: number };
const SEARCHER = sourceOf('searcher.mjs');
const MiB = 1024 * 1024;
const turned = (text: string): string => text.split('').toReversed().join('');

besiege('what functions leave behind', 'searcher.mjs', async ({ isolated, ask, attack }) => {
  const mark = () => randomBytes(24).toString('hex');
  const inEvents = mark();
  const inEnvironment = mark();
  const inCode = mark();
  const source = `
    import { writeFileSync } from 'node:fs';
    export const secret = '${inCode}';
    export const handler = async ({ text }) => {
      console.log(text + secret + process.env.SECRET);
      writeFileSync('/tmp/' + text.slice(0, 48), text);
      return text + secret + process.env.SECRET;
    };`;
  const give = async (name: string) => {
    await isolated.create(name, source, { Environment: { Variables: { SECRET: inEnvironment } }, MemorySize: 256 });
    await Promise.all(
      [1, 10, 100, 1_000, 10_000].map(async (times) => {
        const { value } = await isolated.invoke(name, { text: inEvents.repeat(times) });
        assert.ok((value as string).startsWith(inEvents) && (value as string).endsWith(inEnvironment));
      }),
    );
  };
  const findsNothing = async () => {
    for (const text of [inEvents, inEnvironment, inCode]) {
      const { found, bytes } = await ask<Found>('search', { turned: turned(text) });
      assert.ok(bytes > MiB, `${bytes} bytes were looked through`);
      assert.equal(found, 0);
    }
  };

  await attack('the search finds what is there', async () => {
    const planted = mark();
    await isolated.create('planted', SEARCHER, { Environment: { Variables: { PLANTED: planted } }, MemorySize: 256 });
    const { value } = await isolated.invoke('planted', { turned: turned(planted) });
    assert.ok((value as Found).found > 0, JSON.stringify(value));
  });

  await attack('a function that was there before finds nothing of one that came later', async () => {
    assert.equal(await ask('none'), 'here');
    await give('later');
    await findsNothing();
  });

  await attack('a function finds nothing of one that was there before, and has gone', async () => {
    await isolated.remove('later');
    await isolated.remove('searcher');
    await isolated.create('searcher', SEARCHER, { Timeout: 20, MemorySize: 256 });
    await findsNothing();
  });
});
