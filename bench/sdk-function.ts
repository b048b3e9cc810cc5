/** A function as many are: an AWS SDK client, an Express application and a schema, in one bundle of 1.8 MB. */
import { join } from 'node:path';
import { build } from 'esbuild';

const SOURCE = `import { LambdaClient } from '@aws-sdk/client-lambda';
import express from 'express';
import { z } from 'zod';

const client = new LambdaClient({ region: 'us-east-1', credentials: { accessKeyId: 'a', secretAccessKey: 'b' } });
const app = express();
app.use(express.json());
app.get('/functions/:name', (request, response) => response.json({ name: request.params.name }));
const schema = z.object({ holdMs: z.number().default(0), untilMs: z.number().default(0), key: z.string().optional() });
let served = 0;

export const handler = async (event) => {
  const begunMs = Date.now();
  const { holdMs, untilMs } = schema.parse(event);
  served += 1;
  const region = await client.config.region();
  const waitMs = Math.max(holdMs, untilMs - begunMs);
  if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
  return { served, id: String(process.pid), begunMs, region, routes: app.router.stack.length };
};
`;

/** It answers like HOLDING, and like a function for a crowd. */
export async function bundleSdkFunction(): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents: SOURCE, resolveDir: join(import.meta.dirname, '..') },
    bundle: true,
    minify: true,
    platform: 'node',
    format: 'esm',
    // What the packages `require` of Node's own.
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
    write: false,
    logLevel: 'silent',
  });
  return outputFiles[0]!.text;
}
