import { randomUUID } from 'node:crypto';
import { before } from 'node:test';
import { CreateFunctionCommand, DeleteFunctionCommand, LambdaClient, ResourceNotFoundException } from '@aws-sdk/client-lambda';
import type { CreateFunctionCommandInput, CreateFunctionCommandOutput } from '@aws-sdk/client-lambda';
import { ZipFile } from 'yazl';
import { closeAfterAll } from '../../closing.ts';
import { serverUnderTest } from './server.ts';

export const ROLE = 'arn:aws:iam::000000000000:role/service-role/any';

/** One of each kind of handler that the suites call. */
export const SOURCE = `
exports.echo = async (event) => event;
exports.about = async (event, context) => ({ version: context.functionVersion, client: context.clientContext, id: context.awsRequestId });
exports.fail = async () => { const error = new TypeError('no such luck'); throw error; };
exports.nothing = async () => {};
exports.stream = awslambda.streamifyResponse(async (event, stream) => { stream.write('one,'); stream.write('two'); stream.end(); });
`;

export async function zipOf(files: Readonly<Record<string, string>>): Promise<Buffer> {
  const zip = new ZipFile();
  for (const [name, content] of Object.entries(files)) zip.addBuffer(Buffer.from(content), name);
  zip.end();
  const chunks: Buffer[] = [];
  for await (const chunk of zip.outputStream) chunks.push(Buffer.from(chunk as Buffer));
  return Buffer.concat(chunks);
}

/** A client of the server under test for the suite it is called in; functions made with it are deleted at the end. */
export class Fixture {
  endpoint!: string;
  client!: LambdaClient;
  zip!: Buffer;
  readonly #closeAtEnd = closeAfterAll();

  constructor() {
    before(async () => {
      this.endpoint = await serverUnderTest(this.#closeAtEnd);
      this.zip = await zipOf({ 'index.js': SOURCE });
      this.client = new LambdaClient({
        endpoint: this.endpoint,
        region: 'us-east-1',
        credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
        maxAttempts: 1,
      });
      this.#closeAtEnd(() => this.client.destroy());
    });
  }

  name(): string {
    const name = `test-${randomUUID().slice(0, 13)}`;
    this.#closeAtEnd(() => this.delete(name));
    return name;
  }

  async create(input: Partial<CreateFunctionCommandInput> = {}): Promise<CreateFunctionCommandOutput & { name: string }> {
    const name = input.FunctionName ?? this.name();
    const defaults = { FunctionName: name, Role: ROLE, Runtime: 'nodejs22.x' as const, Handler: 'index.echo', Code: { ZipFile: this.zip } };
    return { ...(await this.client.send(new CreateFunctionCommand({ ...defaults, ...input }))), name };
  }

  async delete(name: string): Promise<void> {
    try {
      await this.client.send(new DeleteFunctionCommand({ FunctionName: name }));
    } catch (error) {
      if (!(error instanceof ResourceNotFoundException)) throw error;
    }
  }
}
