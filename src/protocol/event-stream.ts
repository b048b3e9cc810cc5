/**
 * One message of an AWS event stream (application/vnd.amazon.eventstream), big-endian:
 *
 *   u32 total length, u32 length of the headers, u32 CRC-32 of these eight bytes,
 *   headers, payload, u32 CRC-32 of all before
 *
 * A header: u8 length of the name, the name, u8 type (7: string), u16 length of the value, the value.
 */
import { crc32 } from 'node:zlib';

const PRELUDE_BYTES = 12;
const STRING_TYPE = 7;

export function encodeEventMessage(headers: Readonly<Record<string, string>>, payload: Uint8Array): Buffer {
  const head = Buffer.concat(Object.entries(headers).map(([name, value]) => encodeHeader(name, value)));
  const total = PRELUDE_BYTES + head.length + payload.length + 4;
  const message = Buffer.allocUnsafe(total);
  message.writeUInt32BE(total, 0);
  message.writeUInt32BE(head.length, 4);
  message.writeUInt32BE(crc32(message.subarray(0, 8)), 8);
  message.set(head, PRELUDE_BYTES);
  message.set(payload, PRELUDE_BYTES + head.length);
  message.writeUInt32BE(crc32(message.subarray(0, total - 4)), total - 4);
  return message;
}

function encodeHeader(name: string, value: string): Buffer {
  const nameBytes = Buffer.from(name);
  const valueBytes = Buffer.from(value);
  const header = Buffer.allocUnsafe(4 + nameBytes.length + valueBytes.length);
  header[0] = nameBytes.length;
  header.set(nameBytes, 1);
  header[1 + nameBytes.length] = STRING_TYPE;
  header.writeUInt16BE(valueBytes.length, 2 + nameBytes.length);
  header.set(valueBytes, 4 + nameBytes.length);
  return header;
}
