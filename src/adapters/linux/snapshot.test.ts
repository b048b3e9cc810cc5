import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openTemplates, skip, valueOf } from './templates.testing.ts';

test('a setting keeps instances from being forked, though nothing else does', { skip }, async (t) => {
  const { boot } = await openTemplates(t);
  const template = await boot(`const drawn = Math.random(); export const handler = async () => drawn;`, { snapshot: 'never' });
  assert.deepEqual([template.forks, template.blockers], [false, []]);
  const instances = [template.fork(), template.fork()];
  const drawn = await Promise.all(instances.map((instance) => valueOf(instance)));
  assert.notEqual(drawn[0], drawn[1]);
  assert.deepEqual(
    instances.map(({ start }) => start),
    ['boot', 'boot'],
  );
  template.close();
});

test('a setting has instances forked whatever init left open, and none shares it with a sibling', { skip }, async (t) => {
  const { boot } = await openTemplates(t);
  const template = await boot(
    `import fs from 'node:fs';
    import net from 'node:net';
    import dgram from 'node:dgram';
    import { once } from 'node:events';
    let ticks = 0;
    setInterval(() => ticks++, 5);
    fs.writeFileSync('/tmp/file', 'abcdef');
    const file = fs.openSync('/tmp/file', 'r');
    fs.readSync(file, Buffer.alloc(2));
    const server = net.createServer((socket) => socket.write('hello')).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const client = net.connect(server.address().port, '127.0.0.1');
    await once(client, 'data');
    const closed = once(client, 'close');
    const datagrams = dgram.createSocket('udp4').bind(0, '127.0.0.1');
    await once(datagrams, 'listening');
    const drawn = Math.random();
    export const handler = async () => {
      await closed;
      while (ticks < 3) await new Promise((resolve) => setTimeout(resolve, 5));
      const cpu = process.cpuUsage();
      await new Promise((resolve) => setTimeout(resolve, 300));
      const { user, system } = process.cpuUsage(cpu);
      const text = Buffer.alloc(2);
      fs.readSync(file, text);
      const again = net.createServer((socket) => socket.end('again')).listen(0, '127.0.0.1');
      await once(again, 'listening');
      const [answer] = await once(net.connect(again.address().port, '127.0.0.1'), 'data');
      return { drawn, text: text.toString(), spins: user + system > 200_000, answer: answer.toString() };
    };`,
    { snapshot: 'always' },
  );
  assert.equal(template.forks, true);
  assert.deepEqual([...new Set(template.blockers.map(({ kind }) => kind))].toSorted(), ['descriptor', 'socket', 'timer']);
  const seen: object[] = [];
  for (const instance of [template.fork(), template.fork()]) {
    assert.equal(instance.start, 'fork');
    seen.push((await valueOf(instance)) as object);
    instance.kill();
  }
  assert.partialDeepStrictEqual(seen[0], { text: 'cd', spins: false, answer: 'again' });
  assert.deepEqual(seen[1], seen[0]);
  template.close();
});
