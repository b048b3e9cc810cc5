/** Entries of a tar stream, one after the other. tar-stream reads the format: ustar, PAX and GNU's long names. */
import { pipeline } from 'node:stream/promises';
import { extract } from 'tar-stream';
import type { Extract, Header } from 'tar-stream';
import { HearthError } from '../../kernel/mod.ts';
import { asImageError } from './errors.ts';

/** What tar-stream gives beyond its published types is `byteOffset`, where the content begins, and `pax`, the records of a PAX header. */
export type TarHeader = {
  readonly name: string;
  /** Null: of a kind that tar-stream does not know, GNU's sparse files among them. */
  readonly type: Header['type'] | null;
  readonly size: number;
  readonly mode: number;
  readonly mtime: Date;
  readonly linkname: string;
  readonly byteOffset: number;
  readonly pax: Readonly<Record<string, string>>;
};

export type TarEntry = { readonly header: TarHeader; readonly content: AsyncIterable<Buffer> };

type Stage = NodeJS.ReadWriteStream | ((chunks: AsyncIterable<Buffer>) => AsyncIterable<Buffer>);

/**
 * Calls `use` for each entry of what comes out of the last stage; content that it leaves unread is skipped. Ends when every stage has.
 * Throws what `use` or a stage throws, else `ImageDamaged` for what is no tar archive, or only the beginning of one.
 */
export async function readTar(
  stages: readonly [AsyncIterable<Buffer>, ...Stage[]],
  use: (entry: TarEntry) => Promise<void>,
): Promise<void> {
  const archive = extract();
  const flowing = pipeline([...stages, archive]);
  const [used, flowed] = await Promise.allSettled([useEach(archive, use), flowing]);
  // Where one fails the other does too; whoever has a code knows the reason.
  const failures = [used, flowed].flatMap((end) => (end.status === 'rejected' ? [end.reason as unknown] : []));
  if (failures.length === 0) return;
  throw asImageError(failures.find((failure) => failure instanceof HearthError) ?? failures[0]);
}

async function useEach(archive: Extract, use: (entry: TarEntry) => Promise<void>): Promise<void> {
  for await (const entry of archive) {
    const header = entry.header as Header & { readonly byteOffset: number; readonly pax: TarHeader['pax'] | null };
    await use({
      header: { ...header, linkname: header.linkname ?? '', pax: header.pax ?? {} },
      content: entry as AsyncIterable<unknown> as AsyncIterable<Buffer>,
    });
    entry.resume();
  }
}
