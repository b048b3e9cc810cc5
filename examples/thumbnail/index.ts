import { readFile } from 'node:fs/promises';
import sharp from 'sharp';

type Event = {
  readonly body?: string;
  readonly isBase64Encoded?: boolean;
  readonly queryStringParameters?: { readonly width?: string };
};

const WIDTH = { min: 16, max: 2000, default: 200 };

/** POST an image, or GET the one that comes with the function, and get it back as a JPEG of the width asked for. */
export async function handler(event: Event) {
  const width = Number(event.queryStringParameters?.width ?? WIDTH.default);
  if (!Number.isInteger(width) || width < WIDTH.min || width > WIDTH.max) {
    return { statusCode: 400, body: `width is a whole number from ${WIDTH.min} to ${WIDTH.max}` };
  }
  const source =
    event.body === undefined
      ? await readFile(new URL('photo.jpg', import.meta.url))
      : Buffer.from(event.body, event.isBase64Encoded ? 'base64' : 'utf8');
  try {
    const { data, info } = await sharp(source)
      .rotate()
      .resize({ width, withoutEnlargement: true })
      .jpeg({ quality: 80 })
      .toBuffer({ resolveWithObject: true });
    console.log(`${source.length} bytes in, ${info.width} x ${info.height} out in ${data.length} bytes`);
    return {
      statusCode: 200,
      headers: { 'content-type': 'image/jpeg', 'cache-control': 'max-age=3600' },
      isBase64Encoded: true,
      body: data.toString('base64'),
    };
  } catch (error) {
    return { statusCode: 415, body: `not an image that can be read: ${error instanceof Error ? error.message : String(error)}` };
  }
}
