import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeEventMessage } from './event-stream.ts';

// As botocore's EventStreamBuffer reads them.
const VECTORS = [
  {
    hex: '0000006f0000005af5fe871f0b3a6576656e742d7479706507000c5061796c6f61644368756e6b0d3a636f6e74656e742d747970650700186170706c69636174696f6e2f6f637465742d73747265616d0d3a6d6573736167652d747970650700056576656e7468656c6c6f29e71260',
    headers: { ':event-type': 'PayloadChunk', ':content-type': 'application/octet-stream', ':message-type': 'event' },
    payload: 'hello',
  },
  {
    hex: '00000066000000541f56c8690b3a6576656e742d7479706507000e496e766f6b65436f6d706c6574650d3a636f6e74656e742d747970650700106170706c69636174696f6e2f6a736f6e0d3a6d6573736167652d747970650700056576656e747b7d7006d467',
    headers: { ':event-type': 'InvokeComplete', ':content-type': 'application/json', ':message-type': 'event' },
    payload: '{}',
  },
];

test('messages of an event stream have the bytes that AWS clients read', () => {
  for (const { hex, headers, payload } of VECTORS) {
    assert.equal(encodeEventMessage(headers, Buffer.from(payload)).toString('hex'), hex);
  }
});
