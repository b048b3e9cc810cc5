import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as sdk from '@aws-sdk/client-lambda';
import { Fixture } from './lambda/fixture.ts';
import { NEVER_THERE } from './lambda/server.ts';

describe('provisioned concurrency and scaling configurations', () => {
  const lambda = new Fixture();

  const published = async () => {
    const { name: FunctionName, FunctionArn } = await lambda.create({ Publish: true });
    await lambda.client.send(new sdk.CreateAliasCommand({ FunctionName, Name: 'live', FunctionVersion: '1' }));
    return { FunctionName, arn: FunctionArn!.replace(/:1$/, '') };
  };
  const put = (FunctionName: string, Qualifier: string, ProvisionedConcurrentExecutions: number) =>
    lambda.client.send(new sdk.PutProvisionedConcurrencyConfigCommand({ FunctionName, Qualifier, ProvisionedConcurrentExecutions }));
  const get = (FunctionName: string, Qualifier: string) =>
    lambda.client.send(new sdk.GetProvisionedConcurrencyConfigCommand({ FunctionName, Qualifier }));
  const remove = (FunctionName: string, Qualifier: string) =>
    lambda.client.send(new sdk.DeleteProvisionedConcurrencyConfigCommand({ FunctionName, Qualifier }));
  const unreserved = async () =>
    (await lambda.client.send(new sdk.GetAccountSettingsCommand({}))).AccountLimit!.UnreservedConcurrentExecutions!;
  const refused = (what: Promise<unknown>, kind: new (...args: never[]) => Error, message: RegExp) =>
    assert.rejects(what, (error: Error) => error instanceof kind && message.test(error.message));

  test('an alias is given some, shows it, is listed with it, gets other, and gives it back', async () => {
    const { FunctionName, arn } = await published();
    await refused(get(FunctionName, 'live'), sdk.ProvisionedConcurrencyConfigNotFoundException, /^No Provisioned Concurrency Config found/);
    const before = await unreserved();
    const made = await put(FunctionName, 'live', 3);
    assert.equal(made.$metadata.httpStatusCode, 202);
    assert.equal(made.RequestedProvisionedConcurrentExecutions, 3);
    assert.ok(Math.abs(Date.parse(made.LastModified!) - Date.now()) < 3_600_000);
    assert.equal(await unreserved(), before - 3);
    await put(FunctionName, 'live', 5);
    const shown = await get(FunctionName, 'live');
    assert.deepEqual(
      [shown.RequestedProvisionedConcurrentExecutions, shown.AvailableProvisionedConcurrentExecutions, shown.Status],
      [5, 5, 'READY'],
    );
    assert.equal(shown.AllocatedProvisionedConcurrentExecutions, 5);
    await lambda.client.send(new sdk.UpdateFunctionConfigurationCommand({ FunctionName, Timeout: 9 }));
    await lambda.client.send(new sdk.PublishVersionCommand({ FunctionName }));
    await put(FunctionName, '2', 1);
    const paginator = sdk.paginateListProvisionedConcurrencyConfigs({ client: lambda.client, pageSize: 1 }, { FunctionName });
    const listed: (string | undefined)[] = [];
    for await (const { ProvisionedConcurrencyConfigs = [] } of paginator)
      listed.push(...ProvisionedConcurrencyConfigs.map((each) => each.FunctionArn));
    assert.deepEqual(listed, [`${arn}:2`, `${arn}:live`]);
    for (const qualifier of ['live', 'live', '2']) assert.equal((await remove(FunctionName, qualifier)).$metadata.httpStatusCode, 204);
    await refused(get(FunctionName, 'live'), sdk.ProvisionedConcurrencyConfigNotFoundException, /./);
    assert.equal(await unreserved(), before);
  });

  test('what never comes up says that it failed, and why', async (t) => {
    if (process.env['HEARTH_ENDPOINT']) return t.skip('only the server of these tests has such functions');
    const { name: FunctionName } = await lambda.create({ Publish: true, Description: NEVER_THERE });
    const { $metadata: _, LastModified: _when, ...made } = await put(FunctionName, '1', 2);
    assert.deepEqual(made, {
      RequestedProvisionedConcurrentExecutions: 2,
      AvailableProvisionedConcurrentExecutions: 0,
      AllocatedProvisionedConcurrentExecutions: 1,
      Status: 'FAILED',
      StatusReason: 'init has failed',
    });
  });

  test('what is not published has none, and nothing is given to what is not there', async () => {
    const { FunctionName } = await published();
    await refused(
      put(FunctionName, '$LATEST', 1),
      sdk.InvalidParameterValueException,
      /cannot be applied to unpublished function versions\.$/,
    );
    await lambda.client.send(new sdk.CreateAliasCommand({ FunctionName, Name: 'tip', FunctionVersion: '$LATEST' }));
    await refused(put(FunctionName, 'tip', 1), sdk.InvalidParameterValueException, /unpublished function versions/);
    await refused(put(FunctionName, '7', 1), sdk.ResourceNotFoundException, /^Function not found: .*:7$/);
    await refused(put(FunctionName, 'nobody', 1), sdk.ResourceNotFoundException, /^Cannot find alias arn: .*:nobody$/);
    await refused(put('nobody-at-all', 'live', 1), sdk.ResourceNotFoundException, /^Function not found/);
    await refused(
      put(FunctionName, 'live', 0),
      Error,
      /Value '0' at 'provisionedConcurrentExecutions' failed .* greater than or equal to 1/,
    );
    await put(FunctionName, 'live', 1);
    const move = lambda.client.send(new sdk.UpdateAliasCommand({ FunctionName, Name: 'live', FunctionVersion: '$LATEST' }));
    await refused(move, sdk.InvalidParameterValueException, /unpublished function versions/);
  });

  test('a version and an alias of it cannot both have some', async () => {
    const { FunctionName } = await published();
    await put(FunctionName, '1', 1);
    await refused(put(FunctionName, 'live', 1), sdk.ResourceConflictException, /on an already Provisioned version$/);
    await remove(FunctionName, '1');
    await put(FunctionName, 'live', 1);
    await refused(put(FunctionName, '1', 1), sdk.ResourceConflictException, /^Version is pointed by a Provisioned Concurrency alias$/);
    await lambda.client.send(new sdk.UpdateFunctionConfigurationCommand({ FunctionName, Timeout: 9 }));
    await lambda.client.send(new sdk.PublishVersionCommand({ FunctionName }));
    await put(FunctionName, '2', 1);
    const move = lambda.client.send(new sdk.UpdateAliasCommand({ FunctionName, Name: 'live', FunctionVersion: '2' }));
    await refused(move, sdk.ResourceConflictException, /already Provisioned version/);
    await lambda.client.send(new sdk.DeleteAliasCommand({ FunctionName, Name: 'live' }));
    await lambda.client.send(new sdk.CreateAliasCommand({ FunctionName, Name: 'live', FunctionVersion: '2' }));
    await refused(get(FunctionName, 'live'), sdk.ProvisionedConcurrencyConfigNotFoundException, /./);
  });

  test('it comes out of the reservation, or out of what the account has left', async () => {
    const { FunctionName } = await published();
    const reserve = (ReservedConcurrentExecutions: number) =>
      lambda.client.send(new sdk.PutFunctionConcurrencyCommand({ FunctionName, ReservedConcurrentExecutions }));
    const before = await unreserved();
    await refused(put(FunctionName, 'live', before - 99), sdk.InvalidParameterValueException, /below its minimum value of \[100\]\.$/);
    await refused(
      put(FunctionName, 'live', 1_000_000),
      sdk.InvalidParameterValueException,
      /greater than account's unreserved concurrency/,
    );
    await reserve(10);
    await refused(put(FunctionName, 'live', 11), sdk.InvalidParameterValueException, /greater than the reservedConcurrentExecution/);
    await put(FunctionName, 'live', 6);
    assert.equal(await unreserved(), before - 10);
    await refused(reserve(5), sdk.InvalidParameterValueException, /not be lower than function's total provisioned concurrency \[6\]/);
    await lambda.client.send(new sdk.DeleteFunctionConcurrencyCommand({ FunctionName }));
    assert.equal(await unreserved(), before - 6);
    await lambda.delete(FunctionName);
    assert.equal(await unreserved(), before);
  });

  test('a version has instances at least and at most, as it was asked for', async () => {
    const { FunctionName, arn } = await published();
    const scale = (Qualifier: string, FunctionScalingConfig?: sdk.FunctionScalingConfig) =>
      lambda.client.send(new sdk.PutFunctionScalingConfigCommand({ FunctionName, Qualifier, FunctionScalingConfig }));
    const scaled = (Qualifier: string) => lambda.client.send(new sdk.GetFunctionScalingConfigCommand({ FunctionName, Qualifier }));
    const made = await scale('1', { MinExecutionEnvironments: 2, MaxExecutionEnvironments: 8 });
    assert.deepEqual([made.$metadata.httpStatusCode, made.FunctionState], [202, 'Active']);
    const { $metadata: _, ...shown } = await scaled('1');
    const config = { MinExecutionEnvironments: 2, MaxExecutionEnvironments: 8 };
    assert.deepEqual(shown, { FunctionArn: `${arn}:1`, AppliedFunctionScalingConfig: config, RequestedFunctionScalingConfig: config });
    await scale('$LATEST', { MaxExecutionEnvironments: 4 });
    assert.deepEqual((await scaled('$LATEST')).AppliedFunctionScalingConfig, { MaxExecutionEnvironments: 4 });
    await scale('$LATEST.PUBLISHED', { MinExecutionEnvironments: 1 });
    assert.deepEqual((await scaled('$LATEST.PUBLISHED')).AppliedFunctionScalingConfig, { MinExecutionEnvironments: 1 });
    await scale('1');
    assert.deepEqual((await scaled('1')).AppliedFunctionScalingConfig, {});
    await refused(
      scale('1', { MinExecutionEnvironments: 3, MaxExecutionEnvironments: 2 }),
      sdk.InvalidParameterValueException,
      /is 3, which is more than .*: 2/,
    );
    await refused(
      scale('1', { MinExecutionEnvironments: 2_000 }),
      sdk.InvalidParameterValueException,
      /the account's ConcurrentExecutions: 1000/,
    );
    await refused(scale('1', { MaxExecutionEnvironments: 20_000 }), Error, /less than or equal to 10000/);
    await refused(scale('live', {}), Error, /at 'qualifier' failed to satisfy constraint/);
    await refused(scale('9', {}), sdk.ResourceNotFoundException, /:9$/);
    assert.deepEqual((await scaled('1')).AppliedFunctionScalingConfig, {}, 'nothing of what was refused is there');
  });

  test('concurrency of an instance comes with a capacity provider, and for runtimes that can', async () => {
    const provider = (PerExecutionEnvironmentMaxConcurrency: number, more: object = {}) => ({
      LambdaManagedInstancesCapacityProviderConfig: {
        CapacityProviderArn: 'arn:aws:lambda:us-east-1:000000000000:capacity-provider:mine',
        PerExecutionEnvironmentMaxConcurrency,
        ...more,
      },
    });
    const { name: FunctionName, CapacityProviderConfig } = await lambda.create({ CapacityProviderConfig: provider(16) });
    assert.deepEqual(CapacityProviderConfig, provider(16));
    const change = (config: sdk.CapacityProviderConfig) =>
      lambda.client.send(new sdk.UpdateFunctionConfigurationCommand({ FunctionName, CapacityProviderConfig: config }));
    assert.deepEqual((await change(provider(32))).CapacityProviderConfig, provider(32));
    await refused(change(provider(0)), Error, /greater than or equal to 1/);
    await refused(change(provider(1_001)), Error, /less than or equal to 1000/);
    await refused(change(provider(2, { ExecutionEnvironmentMemoryGiBPerVCpu: 4 })), sdk.InvalidParameterValueException, /go by MemorySize/);
    await refused(change(provider(2, { CapacityProviderArn: 'mine' })), Error, /capacityProviderArn' failed/);
    const program = { Runtime: 'provided.al2023', Handler: 'bootstrap', CapacityProviderConfig: provider(2) } as const;
    await refused(lambda.create(program), sdk.InvalidParameterValueException, /provided\.al2023 runs one invocation at a time/);
    const { name } = await lambda.create({ Runtime: 'provided.al2023', Handler: 'bootstrap' });
    const resource = `arn:aws:lambda:us-east-1:000000000000:function:${name}`;
    const tag = lambda.client.send(new sdk.TagResourceCommand({ Resource: resource, Tags: { 'hearth:scaling': 'concurrency=2' } }));
    await refused(tag, sdk.InvalidParameterValueException, /one invocation at a time/);
  });

  test('tags say the rest, and what they cannot say is refused before anything is changed', async () => {
    const { FunctionArn } = await lambda.create();
    const tag = (Tags: Record<string, string>) => lambda.client.send(new sdk.TagResourceCommand({ Resource: FunctionArn, Tags }));
    const Tags = {
      'hearth:scaling': 'concurrency=4 target=0.5 scale-down-delay=30s burst=4 queue-depth=10 queue-age=2s',
      'hearth:capacity': 'class=spot gpu',
      'hearth:warm:office': 'cron(0 8 ? * MON-FRI *) for=10h instances=5 timezone=Europe/Berlin',
    };
    await tag(Tags);
    const wrong: readonly [Record<string, string>, RegExp][] = [
      [{ 'hearth:scaling': 'concurrency=0' }, /from 1 to 1000/],
      [{ 'hearth:capacity': 'class=best' }, /the classes are/],
      [{ 'hearth:warm:office': 'cron(0 8 * * * *) for=10h instances=5' }, /has to have \?/],
      [{ 'hearth:warm:office': 'rate(1 day) for=10h instances=5 timezone=Mars/Olympus' }, /time zone 'Mars\/Olympus'/],
    ];
    for (const [tags, message] of wrong) await refused(tag(tags), sdk.InvalidParameterValueException, message);
    assert.deepEqual((await lambda.client.send(new sdk.ListTagsCommand({ Resource: FunctionArn }))).Tags, Tags);
    await refused(lambda.create({ Tags: { 'hearth:capacity': 'spot' } }), sdk.InvalidParameterValueException, /Write class=spot/);
  });
});
