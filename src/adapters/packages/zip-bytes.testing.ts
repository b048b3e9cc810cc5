/** Zip archives byte by byte, for tests: also such as no zip tool would write. */
import { crc32, deflateRawSync } from 'node:zlib';

export type ZipPart = {
  readonly name: string | Buffer;
  readonly content?: string | Buffer;
  /** Unix mode with type bits, e.g. 0o100644; absent: 0o100644. `undefined` with `system: 0` for an archive without modes. */
  readonly mode?: number;
  readonly system?: number;
  readonly method?: number;
  readonly flags?: number;
  readonly store?: boolean;
  /** What the headers claim instead of the truth. */
  readonly claims?: { readonly size?: number; readonly crc?: number; readonly method?: number; readonly offset?: number };
};

export function zipBytes(parts: readonly ZipPart[], claims: { readonly entries?: number } = {}): Buffer {
  const locals: Buffer[] = [];
  const centrals: Buffer[] = [];
  let offset = 0;
  for (const part of parts) {
    const { local, central } = encodePart(part, offset);
    locals.push(local);
    centrals.push(central);
    offset += local.length;
  }
  const directory = Buffer.concat(centrals);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(claims.entries ?? parts.length, 8);
  end.writeUInt16LE(claims.entries ?? parts.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...locals, directory, end]);
}

function encodePart(part: ZipPart, offset: number): { local: Buffer; central: Buffer } {
  const name = Buffer.from(part.name as string);
  const content = Buffer.from((part.content ?? '') as string);
  const data = part.store ? content : deflateRawSync(content);
  const method = part.claims?.method ?? (part.store ? 0 : 8);
  const common = Buffer.alloc(26);
  common.writeUInt16LE(20, 0);
  common.writeUInt16LE((part.flags ?? 0) | 0x800, 2);
  common.writeUInt16LE(method, 4);
  common.writeUInt32LE(part.claims?.crc ?? crc32(content), 10);
  common.writeUInt32LE(data.length, 14);
  common.writeUInt32LE(part.claims?.size ?? content.length, 18);
  common.writeUInt16LE(name.length, 22);
  const local = Buffer.concat([Buffer.from('PK\x03\x04', 'latin1'), common, name, data]);
  const tail = Buffer.alloc(14);
  tail.writeUInt32LE(((part.mode ?? 0o100644) * 0x10000) >>> 0, 6);
  tail.writeUInt32LE(part.claims?.offset ?? offset, 10);
  if (part.system === 0) tail.writeUInt32LE(0, 6);
  const madeBy = Buffer.from([20, part.system ?? 3]);
  return { local, central: Buffer.concat([Buffer.from('PK\x01\x02', 'latin1'), madeBy, common, tail, name]) };
}
