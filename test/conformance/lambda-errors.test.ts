import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, test } from 'node:test';
import { InvokeCommand } from '@aws-sdk/client-lambda';
import { Fixture, ROLE } from './lambda/fixture.ts';

type Raw = { readonly status: number; readonly type: string | null; readonly body: Record<string, unknown> };

/** Bytes on the wire, for what SDKs hide or would not send. */
describe('errors of the Lambda API', () => {
  const lambda = new Fixture();

  async function send(method: string, path: string, body?: unknown): Promise<Raw> {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const response = await fetch(`${lambda.endpoint}${path}`, { method, ...(body !== undefined && { body: text }) });
    assert.match(response.headers.get('x-amzn-requestid')!, /^[0-9a-f-]{36}$/);
    return { status: response.status, type: response.headers.get('x-amzn-errortype'), body: (await response.json()) as Raw['body'] };
  }

  const create = (changes: object) =>
    send('POST', '/2015-03-31/functions', {
      FunctionName: lambda.name(),
      Role: ROLE,
      Runtime: 'nodejs22.x',
      Handler: 'index.echo',
      Code: { ZipFile: lambda.zip.toString('base64') },
      ...changes,
    });

  test('have status, type header and body as the service model has them', async () => {
    assert.deepEqual(await send('GET', '/2015-03-31/functions/nobody'), {
      status: 404,
      type: 'ResourceNotFoundException',
      body: { Type: 'User', Message: 'Function not found: arn:aws:lambda:us-east-1:000000000000:function:nobody' },
    });
    const { name } = await lambda.create();
    assert.deepEqual(await create({ FunctionName: name }), {
      status: 409,
      type: 'ResourceConflictException',
      body: { Type: 'User', message: `Function already exist: ${name}` },
    });
  });

  const VALIDATION: readonly [what: string, changes: object, message: string][] = [
    [
      'an absent role',
      { Role: null },
      "1 validation error detected: Value null at 'role' failed to satisfy constraint: Member must not be null",
    ],
    [
      'a malformed role',
      { Role: 'me' },
      "1 validation error detected: Value 'me' at 'role' failed to satisfy constraint: Member must satisfy regular expression pattern: arn:(aws[a-zA-Z-]*)?:iam::\\d{12}:role/?[a-zA-Z_0-9+=,.@\\-_/]+",
    ],
    [
      'a timeout beyond the limit',
      { Timeout: 901 },
      "1 validation error detected: Value '901' at 'timeout' failed to satisfy constraint: Member must have value less than or equal to 900",
    ],
    [
      'two faults at once',
      { MemorySize: 64, EphemeralStorage: { Size: 1 } },
      "2 validation errors detected: Value '64' at 'memorySize' failed to satisfy constraint: Member must have value greater than or equal to 128; Value '1' at 'ephemeralStorage.size' failed to satisfy constraint: Member must have value greater than or equal to 512",
    ],
    [
      'an unknown architecture',
      { Architectures: ['riscv'] },
      "1 validation error detected: Value '[riscv]' at 'architectures' failed to satisfy constraint: Member must satisfy constraint: [Member must satisfy enum value set: [x86_64, arm64]]",
    ],
    [
      'a bad variable name',
      { Environment: { Variables: { '1st': 'x' } } },
      "1 validation error detected: Value at 'environment.variables' failed to satisfy constraint: Map keys must satisfy constraint: [Member must satisfy regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+]",
    ],
    [
      'a description that is too long',
      { Description: 'x'.repeat(257) },
      `1 validation error detected: Value '${'x'.repeat(257)}' at 'description' failed to satisfy constraint: Member must have length less than or equal to 256`,
    ],
  ];
  for (const [what, changes, message] of VALIDATION) {
    test(`${what} is told in the service's words`, async () => {
      assert.deepEqual(await create(changes), { status: 400, type: 'ValidationException', body: { message } });
    });
  }

  const REFUSED: readonly [what: string, changes: object, message: RegExp][] = [
    ['a runtime that is not here yet', { Runtime: 'java21' }, /^The runtime java21 is not supported yet by this Hearth\./],
    [
      'an unknown runtime',
      { Runtime: 'cobol' },
      /^Value cobol at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: \[nodejs20\.x/,
    ],
    ['no handler', { Handler: null }, /^Runtime and Handler are mandatory parameters/],
    ['no code', { Code: {} }, /^Please provide a source for function code\.$/],
    ['code from S3', { Code: { S3Bucket: 'bucket', S3Key: 'key' } }, /does not support code from S3/],
    [
      'an image with a runtime',
      { PackageType: 'Image', Code: { ImageUri: 'x' } },
      /^Please don't provide Handler or Runtime or Layer when the intended function PackageType is Image\.$/,
    ],
    ['an image without ImageUri', { PackageType: 'Image' }, /^Please provide ImageUri when creating a function with packageType Image\.$/],
    [
      'an image as a package',
      { Code: { ImageUri: 'x' } },
      /^Please don't provide ImageUri when creating a function with packageType Zip\.$/,
    ],
    [
      'an image that was not brought',
      { PackageType: 'Image', Runtime: null, Handler: null, Code: { ImageUri: 'x' } },
      /^Source image x is not valid: no such image was brought here/,
    ],
    [
      'settings of an image for a package',
      { ImageConfig: { Command: ['x'] } },
      /^Please don't provide ImageConfig when the intended function PackageType is Zip\.$/,
    ],
    [
      'a web server in a runtime that calls functions itself',
      { Environment: { Variables: { HEARTH_WEB_PORT: '8080' } } },
      /^The environment variable HEARTH_WEB_PORT is for container images and custom runtimes, not for nodejs22\.x\.$/,
    ],
    [
      'a layer that is not there',
      { Layers: ['arn:aws:lambda:us-east-1:000000000000:layer:none:1'] },
      /^Layer version arn:aws:lambda:us-east-1:000000000000:layer:none:1 does not exist\.$/,
    ],
    [
      'a layer of another region',
      { Layers: ['arn:aws:lambda:eu-west-1:000000000000:layer:none:1'] },
      /^Layers are not in the same region as the function\. Layers are expected to be in region us-east-1\.$/,
    ],
    [
      'six layers',
      { Layers: Array.from({ length: 6 }, (_, i) => `arn:aws:lambda:us-east-1:000000000000:layer:l${i}:1`) },
      /^Cannot reference more than 5 layers\.$/,
    ],
    ['a network', { VpcConfig: { SubnetIds: ['subnet-1'], SecurityGroupIds: [] } }, /does not support VpcConfig/],
    [
      'a dead letter queue',
      { DeadLetterConfig: { TargetArn: 'arn:aws:sqs:us-east-1:000000000000:q' } },
      /does not support DeadLetterConfig/,
    ],
    ['a reserved variable', { Environment: { Variables: { AWS_REGION: 'x' } } }, /Reserved keys used in this request: AWS_REGION$/],
    ['variables over 4 KiB', { Environment: { Variables: { BIG: 'x'.repeat(4_096) } } }, /exceeded the 4KB limit/],
    ['a name over 64 characters', { FunctionName: 'x'.repeat(65) }, /longer than 64 characters/],
    ['a reserved tag', { Tags: { 'aws:x': '1' } }, /begins with aws:/],
  ];
  for (const [what, changes, message] of REFUSED) {
    test(`${what} is refused instead of ignored`, async () => {
      const { status, type, body } = await create(changes);
      assert.deepEqual([status, type, body['Type']], [400, 'InvalidParameterValueException', 'User']);
      assert.match(String(body['message']), message);
    });
  }

  test('a body that is no JSON, and a field of the wrong type, are told apart', async () => {
    const broken = await send('POST', '/2015-03-31/functions', '{"FunctionName":');
    assert.deepEqual([broken.status, broken.type], [400, 'InvalidRequestContentException']);
    const mistyped = await create({ Timeout: 'three' });
    assert.deepEqual([mistyped.status, mistyped.type], [400, 'SerializationException']);
    assert.deepEqual(mistyped.body, { message: 'STRING_VALUE can not be converted to a Number' });
  });

  test('an operation that is not there, and a broken escape, are refused', async () => {
    assert.deepEqual((await send('GET', '/2019-09-25/functions/f/event-invoke-config')).status, 404);
    assert.deepEqual((await send('GET', '/2015-03-31/functions/%ZZ')).status, 404);
    assert.deepEqual((await send('POST', '/2015-03-31/functions/%ZZ/invocations', {})).status, 400);
  });

  test('paths with a trailing slash work, as older SDKs send them', async () => {
    const response = await fetch(`${lambda.endpoint}/2015-03-31/functions/`);
    assert.equal(response.status, 200);
    assert.ok(Array.isArray(((await response.json()) as { Functions: unknown }).Functions));
  });

  test('a body that does not end is cut off far beyond the limit', async () => {
    const { name } = await lambda.create();
    const { hostname, port } = new URL(lambda.endpoint);
    const socket = connect(Number(port), hostname);
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    const answer: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => answer.push(chunk));
    // The server may reset a connection on which bytes are still under way.
    socket.on('error', () => {});
    socket.write(
      `POST /2015-03-31/functions/${name}/invocations HTTP/1.1\r\nHost: ${hostname}:${port}\r\nTransfer-Encoding: chunked\r\n\r\n`,
    );
    const chunk = Buffer.concat([Buffer.from('100000\r\n'), Buffer.alloc(1024 * 1024, 0x20), Buffer.from('\r\n')]);
    let sentMiB = 0;
    while (!socket.destroyed && sentMiB < 300) {
      if (!socket.write(chunk)) await Promise.race([new Promise<void>((resolve) => socket.once('drain', () => resolve())), closed]);
      sentMiB += 1;
    }
    await closed;
    assert.ok(sentMiB < 300, 'the server took it all');
    if (answer.length > 0) assert.match(Buffer.concat(answer).toString(), /^HTTP\/1\.1 413 .*RequestTooLargeException/s);
    assert.equal((await lambda.client.send(new InvokeCommand({ FunctionName: name }))).StatusCode, 200);
  });

  test('a client that goes away in the middle of its request leaves the others alone', async () => {
    const { name } = await lambda.create();
    const { hostname, port } = new URL(lambda.endpoint);
    const socket = connect(Number(port), hostname);
    socket.write(`POST /2015-03-31/functions/${name}/invocations HTTP/1.1\r\nHost: ${hostname}:${port}\r\nContent-Length: 1000\r\n\r\n{`);
    await once(socket, 'connect');
    socket.destroy();
    await once(socket, 'close');
    assert.equal((await lambda.client.send(new InvokeCommand({ FunctionName: name }))).StatusCode, 200);
  });

  test('a marker or a page size that makes no sense is refused', async () => {
    assert.equal((await send('GET', '/2015-03-31/functions?Marker=zzz')).type, 'InvalidParameterValueException');
    assert.equal((await send('GET', '/2015-03-31/functions?MaxItems=0')).type, 'ValidationException');
    assert.equal((await send('GET', '/2015-03-31/functions?MaxItems=many')).type, 'SerializationException');
  });
});
