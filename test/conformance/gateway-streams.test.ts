import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { HOST, answer, raw, start } from './gateway-setup.testing.ts';
import type { Call } from './gateway-setup.testing.ts';

const STREAM = { invokeMode: 'RESPONSE_STREAM' } as const;

test('a streamed answer comes as it is written, with the status, headers and cookies of its prelude', async (t) => {
  let call: Call | undefined;
  const { base } = await start(t, {
    route: STREAM,
    function(now) {
      call = now;
      now.listener.streamHead?.({ contentType: 'text/plain', prelude: { statusCode: 202, headers: { 'X-A': 'b' }, cookies: ['c=1'] } });
    },
  });
  const response = await fetch(base);
  assert.equal(response.status, 202);
  assert.equal(response.headers.get('x-a'), 'b');
  assert.equal(response.headers.get('content-type'), 'text/plain');
  assert.deepEqual(response.headers.getSetCookie(), ['c=1']);
  const reader = response.body!.getReader();
  for (const text of ['one', 'two']) {
    // The buffer is used again at once, as the engine does.
    const view = Buffer.from(text);
    call!.listener.streamChunk?.(view);
    view.fill(0);
    assert.equal(Buffer.from((await reader.read()).value ?? '').toString(), text);
  }
  call!.listener.end({ kind: 'streamed' });
  assert.equal((await reader.read()).done, true);
});

test('a reader that is slow holds the function back, and loses nothing', async (t) => {
  const chunk = Buffer.alloc(64 * 1024, 'x');
  let call: Call | undefined;
  const { port } = await start(t, {
    route: STREAM,
    function(now) {
      call = now;
      now.listener.streamHead?.({ contentType: 'text/plain' });
    },
  });
  const client = await raw(t, port);
  client.socket.write(`GET / HTTP/1.0\r\nHost: ${HOST}\r\n\r\n`);
  await client.until((text) => text.includes('\r\n\r\n'));
  client.socket.pause();
  // What the sockets' own buffers take in is no reason to wait: obeyed, a pause lasts only once they are full.
  let sent = 0;
  for (let waited = 0; waited < 100;) {
    const held = call!.did.at(-1) === 'pause';
    waited = held ? waited + 1 : 0;
    if (!held) {
      call!.listener.streamChunk?.(chunk);
      sent += chunk.length;
    }
    assert.ok(sent < 512 * 1024 * 1024, 'never held back');
    await new Promise(setImmediate);
  }
  client.socket.resume();
  while (call!.did.at(-1) !== 'resume') await new Promise(setImmediate);
  call!.listener.end({ kind: 'streamed' });
  const text = await client.untilClosed();
  assert.equal(text.length - text.indexOf('\r\n\r\n') - 4, sent);
});

test('a stream that breaks off does not end as if it were whole', async (t) => {
  const { port } = await start(t, {
    route: STREAM,
    function(call) {
      call.listener.streamHead?.({ contentType: 'text/plain' });
      call.listener.streamChunk?.(Buffer.from('part'));
      setImmediate(() => call.listener.end({ kind: 'streamed', error: { errorType: 'Error', errorMessage: 'x' } }));
    },
  });
  const client = await raw(t, port);
  client.socket.write(`GET / HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
  const text = await client.untilClosed();
  assert.match(text, /^HTTP\/1\.1 200 OK/);
  assert.ok(!text.includes('0\r\n\r\n'));
});

test('a prelude that is no HTTP, and a stream that fails before it began, are answered with 502', async (t) => {
  const functions: ((call: Call) => void)[] = [
    (call) => {
      call.listener.streamHead?.({ contentType: 'text/plain', prelude: { headers: { 'a b': 'c' } } });
      call.listener.streamChunk?.(Buffer.from('x'));
      call.listener.end({ kind: 'streamed' });
    },
    (call) => call.listener.end({ kind: 'streamed', error: { errorType: 'Error', errorMessage: 'x' } }),
  ];
  const { base } = await start(t, { route: STREAM, function: (call) => functions.shift()!(call) });
  for (let i = 0; i < 2; i++) assert.equal((await fetch(base)).status, 502);
});

test('a function that does not stream answers at a streaming URL, one that streams at a buffered one', async (t) => {
  const streaming = await start(t, { route: STREAM, function: (call) => answer(call, { statusCode: 201, body: 'whole' }) });
  const whole = await fetch(streaming.base);
  assert.deepEqual([whole.status, await whole.text()], [201, 'whole']);
  const buffered = await start(t, {
    function(call) {
      assert.ok(!call.listener.streamChunk);
      call.listener.streamHead?.({ contentType: 'text/plain', prelude: { statusCode: 203 } });
      call.listener.end({ kind: 'answered', payload: Buffer.from([0xff, 0x00]) });
    },
  });
  const bytes = await fetch(buffered.base);
  assert.equal(bytes.status, 203);
  assert.deepEqual(new Uint8Array(await bytes.arrayBuffer()), new Uint8Array([0xff, 0]));
});

for (const invokeMode of ['BUFFERED', 'RESPONSE_STREAM'] as const) {
  test(`a client that goes away is abandoned, and what comes then is dropped: ${invokeMode}`, async (t) => {
    let started = (_: Call) => {};
    const begun = new Promise<Call>((resolve) => (started = resolve));
    const { port, base } = await start(t, {
      route: { invokeMode },
      function: (call) => (call.event.rawPath === '/ok' ? answer(call, 'ok') : started(call)),
    });
    const client = await raw(t, port);
    client.socket.write(`GET /gone HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
    const call = await begun;
    client.socket.destroy();
    while (!call.did.includes('abandon')) await new Promise(setImmediate);
    call.listener.streamHead?.({ contentType: 'text/plain' });
    call.listener.streamChunk?.(Buffer.from('x'));
    answer(call, 'late');
    assert.equal(await (await fetch(`${base}/ok`)).text(), '"ok"');
  });
}

test('a client that goes away within its body is forgotten, and the function not invoked', async (t) => {
  const { port, base, calls } = await start(t, { function: (call) => answer(call, 'ok') });
  const client = await raw(t, port);
  client.socket.write(`POST / HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: 10\r\n\r\nabc`);
  client.socket.end();
  await once(client.socket, 'close');
  assert.equal(await (await fetch(base)).text(), '"ok"');
  assert.equal(calls.length, 1);
});
