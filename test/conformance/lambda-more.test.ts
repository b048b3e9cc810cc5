import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as sdk from '@aws-sdk/client-lambda';
import { Fixture, SOURCE, zipOf } from './lambda/fixture.ts';

describe('function URLs, versions, aliases and what belongs to functions', () => {
  const lambda = new Fixture();
  const executed = async (FunctionName: string, Qualifier?: string) =>
    (await lambda.client.send(new sdk.InvokeCommand({ FunctionName, Qualifier }))).ExecutedVersion;

  test('a function URL is made once, shown, listed, changed and deleted', async () => {
    const { name: FunctionName, FunctionArn } = await lambda.create();
    const Cors = { AllowOrigins: ['*'], AllowMethods: ['GET', 'PUT'], MaxAge: 60, AllowCredentials: true };
    const made = await lambda.client.send(new sdk.CreateFunctionUrlConfigCommand({ FunctionName, AuthType: 'NONE', Cors }));
    assert.match(made.FunctionUrl!, /^https?:\/\/[a-z0-9]{32}\.lambda-url\.us-east-1\.[^/]+\/$/);
    assert.equal(made.FunctionArn, FunctionArn);
    assert.equal(made.AuthType, 'NONE');
    assert.equal(made.InvokeMode, 'BUFFERED');
    assert.deepEqual(made.Cors, Cors);
    await assert.rejects(
      lambda.client.send(new sdk.CreateFunctionUrlConfigCommand({ FunctionName, AuthType: 'NONE' })),
      sdk.ResourceConflictException,
    );
    const changed = await lambda.client.send(new sdk.UpdateFunctionUrlConfigCommand({ FunctionName, InvokeMode: 'RESPONSE_STREAM' }));
    assert.deepEqual(changed.Cors, Cors);
    const shown = await lambda.client.send(new sdk.GetFunctionUrlConfigCommand({ FunctionName }));
    assert.equal(shown.InvokeMode, 'RESPONSE_STREAM');
    assert.equal(shown.FunctionUrl, made.FunctionUrl);
    const { FunctionUrlConfigs } = await lambda.client.send(new sdk.ListFunctionUrlConfigsCommand({ FunctionName }));
    assert.deepEqual(
      FunctionUrlConfigs!.map((url) => url.FunctionUrl),
      [made.FunctionUrl],
    );
    await lambda.client.send(new sdk.DeleteFunctionUrlConfigCommand({ FunctionName }));
    await assert.rejects(lambda.client.send(new sdk.GetFunctionUrlConfigCommand({ FunctionName })), sdk.ResourceNotFoundException);
  });

  test('published versions are numbered, never change, and are invoked by their number', async () => {
    const { name: FunctionName, FunctionArn } = await lambda.create();
    const publish = () => lambda.client.send(new sdk.PublishVersionCommand({ FunctionName, Description: 'a version' }));
    const first = await publish();
    assert.equal(first.Version, '1');
    assert.equal(first.FunctionArn, `${FunctionArn}:1`);
    assert.equal((await publish()).Version, '1', 'nothing has changed');
    await lambda.client.send(new sdk.UpdateFunctionConfigurationCommand({ FunctionName, Handler: 'index.about' }));
    assert.equal((await publish()).Version, '2');
    assert.equal(await executed(FunctionName, '1'), '1');
    const old = await lambda.client.send(new sdk.GetFunctionConfigurationCommand({ FunctionName, Qualifier: '1' }));
    assert.equal(old.Handler, 'index.echo');
    const { Versions } = await lambda.client.send(new sdk.ListVersionsByFunctionCommand({ FunctionName }));
    assert.deepEqual(
      Versions!.map((v) => v.Version),
      ['$LATEST', '1', '2'],
    );
    await lambda.client.send(new sdk.DeleteFunctionCommand({ FunctionName, Qualifier: '2' }));
    await lambda.client.send(new sdk.UpdateFunctionConfigurationCommand({ FunctionName, Timeout: 8 }));
    assert.equal((await publish()).Version, '3', 'a number is not given twice');
  });

  test('Publish makes a version with new code', async () => {
    const created = await lambda.create({ Publish: true });
    assert.equal(created.Version, '1');
    const ZipFile = await zipOf({ 'index.js': `${SOURCE}// more` });
    const updated = await lambda.client.send(new sdk.UpdateFunctionCodeCommand({ FunctionName: created.name, ZipFile, Publish: true }));
    assert.equal(updated.Version, '2');
  });

  test('an alias leads to its version, and can share invocations with another', async () => {
    const { name: FunctionName, FunctionArn } = await lambda.create({ Publish: true });
    await lambda.client.send(new sdk.UpdateFunctionConfigurationCommand({ FunctionName, Timeout: 9 }));
    await lambda.client.send(new sdk.PublishVersionCommand({ FunctionName }));
    const made = await lambda.client.send(new sdk.CreateAliasCommand({ FunctionName, Name: 'live', FunctionVersion: '1' }));
    assert.equal(made.AliasArn, `${FunctionArn}:live`);
    assert.equal(await executed(`${FunctionName}:live`), '1');
    await assert.rejects(
      lambda.client.send(new sdk.CreateAliasCommand({ FunctionName, Name: 'live', FunctionVersion: '1' })),
      sdk.ResourceConflictException,
    );
    const RoutingConfig = { AdditionalVersionWeights: { '2': 1 } };
    const shared = await lambda.client.send(new sdk.UpdateAliasCommand({ FunctionName, Name: 'live', RoutingConfig }));
    assert.deepEqual(shared.RoutingConfig, RoutingConfig);
    assert.equal(await executed(FunctionName, 'live'), '2');
    await assert.rejects(
      lambda.client.send(new sdk.DeleteFunctionCommand({ FunctionName, Qualifier: '2' })),
      sdk.ResourceConflictException,
    );
    const { Aliases } = await lambda.client.send(new sdk.ListAliasesCommand({ FunctionName }));
    assert.deepEqual(
      Aliases!.map((alias) => alias.Name),
      ['live'],
    );
    const url = await lambda.client.send(new sdk.CreateFunctionUrlConfigCommand({ FunctionName, Qualifier: 'live', AuthType: 'NONE' }));
    assert.equal(url.FunctionArn, `${FunctionArn}:live`);
    await lambda.client.send(new sdk.DeleteAliasCommand({ FunctionName, Name: 'live' }));
    await assert.rejects(executed(FunctionName, 'live'), sdk.ResourceNotFoundException);
  });

  test('tags are added, listed and removed', async () => {
    const { FunctionArn: Resource } = await lambda.create({ Tags: { a: '1' } });
    await lambda.client.send(new sdk.TagResourceCommand({ Resource, Tags: { b: '2', c: '3' } }));
    await lambda.client.send(new sdk.UntagResourceCommand({ Resource, TagKeys: ['a', 'c'] }));
    assert.deepEqual((await lambda.client.send(new sdk.ListTagsCommand({ Resource }))).Tags, { b: '2' });
  });

  test('a reservation is made, shown, bounded and released', async () => {
    const { name: FunctionName } = await lambda.create();
    const reserve = (ReservedConcurrentExecutions: number) =>
      lambda.client.send(new sdk.PutFunctionConcurrencyCommand({ FunctionName, ReservedConcurrentExecutions }));
    assert.equal((await reserve(5)).ReservedConcurrentExecutions, 5);
    await assert.rejects(reserve(1_000), sdk.InvalidParameterValueException);
    const shown = await lambda.client.send(new sdk.GetFunctionConcurrencyCommand({ FunctionName }));
    assert.equal(shown.ReservedConcurrentExecutions, 5);
    await lambda.client.send(new sdk.DeleteFunctionConcurrencyCommand({ FunctionName }));
    const after = await lambda.client.send(new sdk.GetFunctionConcurrencyCommand({ FunctionName }));
    assert.equal(after.ReservedConcurrentExecutions, undefined);
  });

  test('a policy is made of permissions', async () => {
    const { name: FunctionName, FunctionArn } = await lambda.create();
    const permission = { FunctionName, StatementId: 'from-s3', Action: 'lambda:InvokeFunction', Principal: 's3.amazonaws.com' };
    const { Statement } = await lambda.client.send(new sdk.AddPermissionCommand({ ...permission, SourceArn: 'arn:aws:s3:::bucket' }));
    assert.deepEqual(JSON.parse(Statement!), {
      Sid: 'from-s3',
      Effect: 'Allow',
      Principal: { Service: 's3.amazonaws.com' },
      Action: 'lambda:InvokeFunction',
      Resource: FunctionArn,
      Condition: { ArnLike: { 'AWS:SourceArn': 'arn:aws:s3:::bucket' } },
    });
    await assert.rejects(lambda.client.send(new sdk.AddPermissionCommand(permission)), sdk.ResourceConflictException);
    const { Policy } = await lambda.client.send(new sdk.GetPolicyCommand({ FunctionName }));
    assert.deepEqual(JSON.parse(Policy!), { Version: '2012-10-17', Id: 'default', Statement: [JSON.parse(Statement!)] });
    await lambda.client.send(new sdk.RemovePermissionCommand({ FunctionName, StatementId: 'from-s3' }));
    await assert.rejects(lambda.client.send(new sdk.GetPolicyCommand({ FunctionName })), sdk.ResourceNotFoundException);
  });

  test('the account and code signing are answered as deployment tools expect', async () => {
    const { name: FunctionName } = await lambda.create();
    const { AccountLimit, AccountUsage } = await lambda.client.send(new sdk.GetAccountSettingsCommand({}));
    assert.equal(AccountLimit!.ConcurrentExecutions, 1_000);
    assert.ok(AccountUsage!.FunctionCount! > 0);
    const signing = await lambda.client.send(new sdk.GetFunctionCodeSigningConfigCommand({ FunctionName }));
    assert.equal(signing.FunctionName, FunctionName);
    assert.equal(signing.CodeSigningConfigArn, undefined);
  });
});
