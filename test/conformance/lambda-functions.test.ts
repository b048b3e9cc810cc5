import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import {
  DeleteFunctionCommand,
  GetFunctionCommand,
  GetFunctionConfigurationCommand,
  InvalidParameterValueException,
  PreconditionFailedException,
  ResourceConflictException,
  ResourceNotFoundException,
  UpdateFunctionCodeCommand,
  UpdateFunctionConfigurationCommand,
  paginateListFunctions,
  waitUntilFunctionActiveV2,
  waitUntilFunctionUpdatedV2,
} from '@aws-sdk/client-lambda';
import { Fixture, ROLE, SOURCE, zipOf } from './lambda/fixture.ts';

describe('the functions of the Lambda API', () => {
  const lambda = new Fixture();

  test('a created function answers with its whole configuration, defaults included', async () => {
    const { name, $metadata, LastModified, RevisionId, CodeSha256, ...rest } = await lambda.create({ Description: 'says it again' });
    assert.equal($metadata.httpStatusCode, 201);
    assert.match(LastModified!, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000$/);
    assert.match(RevisionId!, /^[0-9a-f-]{36}$/);
    assert.equal(CodeSha256, createHash('sha256').update(lambda.zip).digest('base64'));
    assert.deepEqual(rest, {
      FunctionName: name,
      FunctionArn: `arn:aws:lambda:us-east-1:000000000000:function:${name}`,
      Runtime: 'nodejs22.x',
      Role: ROLE,
      Handler: 'index.echo',
      CodeSize: lambda.zip.length,
      Description: 'says it again',
      Timeout: 3,
      MemorySize: 128,
      Version: '$LATEST',
      TracingConfig: { Mode: 'PassThrough' },
      State: 'Active',
      LastUpdateStatus: 'Successful',
      PackageType: 'Zip',
      Architectures: ['x86_64'],
      EphemeralStorage: { Size: 512 },
      SnapStart: { ApplyOn: 'None', OptimizationStatus: 'Off' },
      LoggingConfig: { LogFormat: 'Text', LogGroup: `/aws/lambda/${name}` },
    });
  });

  test('every setting that is given comes back', async () => {
    const given = {
      Description: 'all of them',
      Timeout: 900,
      MemorySize: 1769,
      EphemeralStorage: { Size: 1024 },
      Environment: { Variables: { COLOUR: 'red', constructor: 'yes' } },
      TracingConfig: { Mode: 'Active' as const },
      LoggingConfig: {
        LogFormat: 'JSON' as const,
        ApplicationLogLevel: 'WARN' as const,
        SystemLogLevel: 'INFO' as const,
        LogGroup: '/mine',
      },
      Architectures: ['arm64' as const],
    };
    const { name } = await lambda.create({ ...given, Runtime: 'nodejs24.x', Tags: { team: 'one' } });
    const { Configuration, Tags } = await lambda.client.send(new GetFunctionCommand({ FunctionName: name }));
    for (const [key, value] of Object.entries(given)) assert.deepEqual(Configuration![key as keyof typeof given], value, key);
    assert.deepEqual(Tags, { team: 'one' });
  });

  test('the waiters for an active and an updated function come to their end', async () => {
    const { name } = await lambda.create();
    const options = { client: lambda.client, maxWaitTime: 20, minDelay: 1, maxDelay: 1 };
    assert.equal((await waitUntilFunctionActiveV2(options, { FunctionName: name })).state, 'SUCCESS');
    await lambda.client.send(new UpdateFunctionConfigurationCommand({ FunctionName: name, Timeout: 7 }));
    assert.equal((await waitUntilFunctionUpdatedV2(options, { FunctionName: name })).state, 'SUCCESS');
  });

  test('GetFunction tells where the package is, and it is there', async () => {
    const { name } = await lambda.create();
    const { Code } = await lambda.client.send(new GetFunctionCommand({ FunctionName: name }));
    const answer = await fetch(Code!.Location!);
    assert.deepEqual(Buffer.from(await answer.arrayBuffer()), lambda.zip);
  });

  test('a function is found by name, partial ARN and full ARN, each with and without a qualifier', async () => {
    const { name, FunctionArn } = await lambda.create();
    for (const form of [name, `000000000000:function:${name}`, `function:${name}`, FunctionArn!]) {
      const plain = await lambda.client.send(new GetFunctionConfigurationCommand({ FunctionName: form }));
      assert.equal(plain.FunctionArn, FunctionArn, form);
      const latest = await lambda.client.send(new GetFunctionConfigurationCommand({ FunctionName: `${form}:$LATEST` }));
      assert.equal(latest.FunctionArn, `${FunctionArn}:$LATEST`, form);
    }
  });

  test('updated settings change, and the others stay', async () => {
    const { name, RevisionId } = await lambda.create({ Description: 'first', Environment: { Variables: { AA: '1', BB: '2' } } });
    const updated = await lambda.client.send(
      new UpdateFunctionConfigurationCommand({ FunctionName: name, Timeout: 9, Environment: { Variables: { CC: '3' } } }),
    );
    assert.equal(updated.Description, 'first');
    assert.equal(updated.Timeout, 9);
    assert.deepEqual(updated.Environment, { Variables: { CC: '3' } });
    assert.notEqual(updated.RevisionId, RevisionId);
  });

  test('whether instances are forked can be set, and left to the platform again', async () => {
    const { name } = await lambda.create();
    const applyOn = async (SnapStart?: { ApplyOn?: 'PublishedVersions' | 'None' }) => {
      const change = new UpdateFunctionConfigurationCommand({ FunctionName: name, ...(SnapStart && { SnapStart }) });
      const answer = (await lambda.client.send(change)).SnapStart;
      const { Configuration } = await lambda.client.send(new GetFunctionCommand({ FunctionName: name }));
      assert.deepEqual(Configuration!.SnapStart, answer);
      return answer!.ApplyOn;
    };
    assert.equal(await applyOn({ ApplyOn: 'PublishedVersions' }), 'PublishedVersions');
    assert.equal(await applyOn(), 'PublishedVersions');
    assert.equal(await applyOn({ ApplyOn: 'None' }), 'None');
    assert.equal(await applyOn({}), 'None');
  });

  test('updated code has another hash, and a dry run changes nothing', async () => {
    const { name, CodeSha256 } = await lambda.create();
    const ZipFile = await zipOf({ 'index.js': `${SOURCE}// another` });
    const dry = await lambda.client.send(new UpdateFunctionCodeCommand({ FunctionName: name, ZipFile, DryRun: true }));
    const before = await lambda.client.send(new GetFunctionConfigurationCommand({ FunctionName: name }));
    assert.equal(before.CodeSha256, CodeSha256);
    const updated = await lambda.client.send(new UpdateFunctionCodeCommand({ FunctionName: name, ZipFile }));
    assert.equal(updated.CodeSha256, dry.CodeSha256);
    assert.notEqual(updated.CodeSha256, CodeSha256);
    assert.equal(updated.LastUpdateStatus, 'Successful');
  });

  test('a change that expects another revision is refused', async () => {
    const { name, RevisionId } = await lambda.create();
    const change = (revision: string) =>
      lambda.client.send(new UpdateFunctionConfigurationCommand({ FunctionName: name, Timeout: 5, RevisionId: revision }));
    await change(RevisionId!);
    await assert.rejects(change(RevisionId!), PreconditionFailedException);
  });

  test('a name is taken once', async () => {
    const { name } = await lambda.create();
    await assert.rejects(lambda.create({ FunctionName: name }), (error: unknown) => {
      assert.ok(error instanceof ResourceConflictException);
      assert.equal(error.message, `Function already exist: ${name}`);
      assert.equal(error.Type, 'User');
      return true;
    });
  });

  test('of many attempts to create one function at the same time, one succeeds', async () => {
    const name = lambda.name();
    const results = await Promise.allSettled(Array.from({ length: 8 }, () => lambda.create({ FunctionName: name })));
    assert.equal(results.filter((result) => result.status === 'fulfilled').length, 1);
  });

  test('a deleted function is gone, and its name is free', async () => {
    const { name, FunctionArn } = await lambda.create();
    const { $metadata } = await lambda.client.send(new DeleteFunctionCommand({ FunctionName: name }));
    assert.equal($metadata.httpStatusCode, 204);
    for (const command of [new GetFunctionCommand({ FunctionName: name }), new DeleteFunctionCommand({ FunctionName: name })]) {
      await assert.rejects(lambda.client.send(command), (error: unknown) => {
        assert.ok(error instanceof ResourceNotFoundException);
        assert.equal(error.message, `Function not found: ${FunctionArn}`);
        return true;
      });
    }
    await lambda.create({ FunctionName: name });
  });

  test('the list has every function once, page by page', async () => {
    const made = new Set<string>();
    for (let i = 0; i < 5; i += 1) made.add((await lambda.create()).name);
    const seen: string[] = [];
    for await (const page of paginateListFunctions({ client: lambda.client, pageSize: 2 }, {})) {
      assert.ok(page.Functions!.length <= 2);
      seen.push(...page.Functions!.map((f) => f.FunctionName!));
    }
    assert.equal(new Set(seen).size, seen.length);
    for (const name of made) assert.ok(seen.includes(name), name);
  });

  test('a package that is no zip is refused, and leaves no function', async () => {
    const name = lambda.name();
    await assert.rejects(
      lambda.create({ FunctionName: name, Code: { ZipFile: Buffer.from('not a zip') } }),
      InvalidParameterValueException,
    );
    await assert.rejects(lambda.client.send(new GetFunctionCommand({ FunctionName: name })), ResourceNotFoundException);
  });
});
