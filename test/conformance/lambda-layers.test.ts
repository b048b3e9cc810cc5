import assert from 'node:assert/strict';
import { createHash, randomUUID } from 'node:crypto';
import { describe, test } from 'node:test';
import * as sdk from '@aws-sdk/client-lambda';
import { EVIL } from '../../src/adapters/packages/evil-zips.testing.ts';
import { zipBytes } from '../../src/adapters/packages/zip-bytes.testing.ts';
import { Fixture, zipOf } from './lambda/fixture.ts';

const isError = (name: string, message?: RegExp) => (error: unknown) => {
  assert.ok(error instanceof Error);
  assert.equal(error.name, name, error.message);
  if (message) assert.match(error.message, message);
  return true;
};

describe('layers by the SDK', () => {
  const lambda = new Fixture();
  const layerName = () => `layer-${randomUUID().slice(0, 13)}`;
  const publish = async (LayerName: string, text = 'x', more: Partial<sdk.PublishLayerVersionCommandInput> = {}) =>
    lambda.client.send(
      new sdk.PublishLayerVersionCommand({ LayerName, Content: { ZipFile: await zipOf({ 'nodejs/text': text }) }, ...more }),
    );
  const get = (LayerName: string, VersionNumber: number) =>
    lambda.client.send(new sdk.GetLayerVersionCommand({ LayerName, VersionNumber }));
  const remove = (LayerName: string, VersionNumber: number) =>
    lambda.client.send(new sdk.DeleteLayerVersionCommand({ LayerName, VersionNumber }));
  const configure = (FunctionName: string, Layers: string[]) =>
    lambda.client.send(new sdk.UpdateFunctionConfigurationCommand({ FunctionName, Layers }));

  test('a version is published, shown by name, by ARN and by number, and downloaded', async () => {
    const LayerName = layerName();
    const ZipFile = await zipOf({ 'nodejs/text': 'content' });
    const about = {
      Description: 'a layer',
      LicenseInfo: 'MIT',
      CompatibleRuntimes: ['nodejs22.x', 'python3.13'] as sdk.Runtime[],
      CompatibleArchitectures: ['arm64', 'x86_64'] as sdk.Architecture[],
    };
    const { $metadata: created, ...published } = await lambda.client.send(
      new sdk.PublishLayerVersionCommand({ LayerName, Content: { ZipFile }, ...about }),
    );
    assert.equal(created.httpStatusCode, 201);
    const arn = `arn:aws:lambda:us-east-1:000000000000:layer:${LayerName}`;
    const { Content, CreatedDate, ...rest } = published;
    assert.deepEqual(rest, { LayerArn: arn, LayerVersionArn: `${arn}:1`, Version: 1, ...about });
    assert.match(CreatedDate!, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000$/);
    assert.equal(Content!.CodeSize, ZipFile.length);
    assert.equal(Content!.CodeSha256, createHash('sha256').update(ZipFile).digest('base64'));
    const bytes = Buffer.from(await (await fetch(Content!.Location!)).arrayBuffer());
    assert.ok(bytes.equals(ZipFile));
    for (const found of [
      await get(LayerName, 1),
      await get(arn, 1),
      await lambda.client.send(new sdk.GetLayerVersionByArnCommand({ Arn: `${arn}:1` })),
    ]) {
      const { $metadata: _, ...shown } = found;
      assert.deepEqual(shown, published);
    }
  });

  test('numbers grow, and none is given twice', async () => {
    const LayerName = layerName();
    assert.deepEqual([(await publish(LayerName)).Version, (await publish(LayerName)).Version], [1, 2]);
    await remove(LayerName, 2);
    await remove(LayerName, 2);
    await assert.rejects(get(LayerName, 2), isError('ResourceNotFoundException', /^The resource you requested does not exist\.$/));
    await remove(LayerName, 1);
    assert.equal((await publish(LayerName)).Version, 3);
    const together = await Promise.all(Array.from({ length: 5 }, (_, i) => publish(LayerName, String(i))));
    assert.deepEqual(
      together.map(({ Version }) => Version).toSorted((a, b) => a! - b!),
      [4, 5, 6, 7, 8],
    );
  });

  test('lists go by pages, newest version first, and by what layers say they are compatible with', async () => {
    const [first, second] = [layerName(), layerName()];
    await publish(first, 'a', { CompatibleRuntimes: ['nodejs22.x'], CompatibleArchitectures: ['arm64'] });
    await publish(first, 'b', { CompatibleRuntimes: ['ruby3.4'] });
    await publish(first, 'c');
    await publish(second, 'd', { CompatibleRuntimes: ['nodejs22.x'] });
    const versions: (number | undefined)[] = [];
    for await (const { LayerVersions } of sdk.paginateListLayerVersions({ client: lambda.client, pageSize: 1 }, { LayerName: first }))
      versions.push(...LayerVersions!.map(({ Version }) => Version));
    assert.deepEqual(versions, [3, 2, 1]);
    const newest = async (input: sdk.ListLayersCommandInput) => {
      const found = new Map<string, number>();
      for await (const { Layers } of sdk.paginateListLayers({ client: lambda.client, pageSize: 1 }, input))
        for (const { LayerName, LatestMatchingVersion } of Layers!) found.set(LayerName!, LatestMatchingVersion!.Version!);
      return [found.get(first), found.get(second)];
    };
    assert.deepEqual(await newest({}), [3, 1]);
    assert.deepEqual(await newest({ CompatibleRuntime: 'nodejs22.x' }), [1, 1]);
    assert.deepEqual(await newest({ CompatibleRuntime: 'ruby3.4' }), [2, undefined]);
    assert.deepEqual(await newest({ CompatibleRuntime: 'nodejs22.x', CompatibleArchitecture: 'arm64' }), [1, undefined]);
    const filtered = await lambda.client.send(new sdk.ListLayerVersionsCommand({ LayerName: first, CompatibleRuntime: 'ruby3.4' }));
    assert.deepEqual(
      filtered.LayerVersions!.map(({ Version }) => Version),
      [2],
    );
    assert.deepEqual((await lambda.client.send(new sdk.ListLayerVersionsCommand({ LayerName: layerName() }))).LayerVersions, []);
    await remove(second, 1);
    assert.deepEqual(await newest({}), [3, undefined], 'a layer without versions is not listed');
  });

  test('a function shows its layers in their order, keeps those that were deleted, and so do its versions', async () => {
    const [one, two] = [await publish(layerName(), 'one'), await publish(layerName(), 'two')];
    const arns = [two.LayerVersionArn!, one.LayerVersionArn!];
    const { name, Layers } = await lambda.create({ Layers: arns, Publish: true });
    const sizes = [two.Content!.CodeSize, one.Content!.CodeSize];
    assert.deepEqual(
      Layers,
      arns.map((Arn, i) => ({ Arn, CodeSize: sizes[i] })),
    );
    const configuration = async (Qualifier?: string) => {
      const { Configuration } = await lambda.client.send(new sdk.GetFunctionCommand({ FunctionName: name, Qualifier }));
      return Configuration!;
    };
    await remove(one.LayerVersionArn!.split(':')[6]!, 1);
    assert.deepEqual((await configuration()).Layers, Layers);
    // A setting that is left out stays as it is.
    await lambda.client.send(new sdk.UpdateFunctionConfigurationCommand({ FunctionName: name, Timeout: 7 }));
    assert.deepEqual((await configuration()).Layers, Layers);
    await assert.rejects(configure(name, arns), isError('InvalidParameterValueException', /^Layer version .* does not exist\.$/));
    assert.deepEqual((await configure(name, [arns[0]!])).Layers, [Layers[0]]);
    assert.equal((await configure(name, [])).Layers, undefined);
    assert.equal((await configuration()).Layers, undefined);
    assert.deepEqual((await configuration('1')).Layers, Layers);
    const listed = await lambda.client.send(new sdk.ListVersionsByFunctionCommand({ FunctionName: name }));
    assert.deepEqual(
      listed.Versions!.map((version) => version.Layers),
      [undefined, Layers],
    );
  });

  test('layers that a function cannot have are refused, and it stays as it was', async () => {
    const LayerName = layerName();
    const { LayerVersionArn: first } = await publish(LayerName);
    const { LayerVersionArn: second } = await publish(LayerName);
    const { name } = await lambda.create({ Layers: [first!] });
    await assert.rejects(
      configure(name, [first!, second!]),
      isError(
        'InvalidParameterValueException',
        /^Two different versions of the same layer are not allowed .* are versions of the same layer\.$/,
      ),
    );
    await assert.rejects(
      configure(name, [first!.replace('000000000000', '017000801446')]),
      isError('AccessDeniedException', /not authorized to perform: lambda:GetLayerVersion/i),
    );
    await assert.rejects(configure(name, ['nonsense']), isError('ValidationException', /at 'layers' failed to satisfy constraint/));
    const shown = await lambda.client.send(new sdk.GetFunctionConfigurationCommand({ FunctionName: name }));
    assert.deepEqual(
      shown.Layers!.map(({ Arn }) => Arn),
      [first],
    );
  });

  test('archives that would do harm are refused as packages of functions are, and no number is spent', async () => {
    const LayerName = layerName();
    const refused = async (ZipFile: Uint8Array, message: RegExp) =>
      assert.rejects(
        lambda.client.send(new sdk.PublishLayerVersionCommand({ LayerName, Content: { ZipFile } })),
        isError('InvalidParameterValueException', message),
      );
    for (const [, parts] of EVIL) await refused(zipBytes([{ name: 'fine', content: '1' }, ...parts]), /^Could not unzip uploaded file\./);
    const bomb = zipBytes([{ name: 'zeroes', content: '0', claims: { size: 251 * 1024 * 1024 } }]);
    await refused(bomb, /^Unzipped size must be smaller than 262144000 bytes$/);
    await refused(Buffer.from('no zip'), /^Could not unzip uploaded file\./);
    await refused(zipBytes([]), /^Uploaded file must be a non-empty zip$/);
    const { Layers } = await lambda.client.send(new sdk.ListLayersCommand({}));
    assert.ok(!Layers!.some((layer) => layer.LayerName === LayerName));
    assert.equal((await publish(LayerName)).Version, 1);
  });

  test('permissions are kept with a version, and guarded by its revision', async () => {
    const LayerName = layerName();
    const { LayerVersionArn: arn } = await publish(LayerName);
    const of = { LayerName, VersionNumber: 1 };
    const policy = () => lambda.client.send(new sdk.GetLayerVersionPolicyCommand(of));
    const add = (StatementId: string, more: Partial<sdk.AddLayerVersionPermissionCommandInput> = {}) =>
      lambda.client.send(
        new sdk.AddLayerVersionPermissionCommand({ ...of, StatementId, Action: 'lambda:GetLayerVersion', Principal: '*', ...more }),
      );
    await assert.rejects(policy(), isError('ResourceNotFoundException', /^No policy is associated with the given resource\.$/));
    const added = await add('one', { Principal: '123456789012' });
    const one = {
      Sid: 'one',
      Effect: 'Allow',
      Principal: { AWS: 'arn:aws:iam::123456789012:root' },
      Action: 'lambda:GetLayerVersion',
      Resource: arn,
    };
    assert.deepEqual(JSON.parse(added.Statement!), one);
    await assert.rejects(add('one'), isError('ResourceConflictException', /^The statement id \(one\) provided already exists\./));
    await assert.rejects(add('two', { RevisionId: 'other' }), isError('PreconditionFailedException'));
    const second = await add('two', { RevisionId: added.RevisionId, OrganizationId: 'o-abcdefghij' });
    const two = { ...one, Sid: 'two', Principal: '*', Condition: { StringEquals: { 'aws:PrincipalOrgID': 'o-abcdefghij' } } };
    const shown = await policy();
    assert.deepEqual(JSON.parse(shown.Policy!), { Version: '2012-10-17', Id: 'default', Statement: [one, two] });
    assert.equal(shown.RevisionId, second.RevisionId);
    assert.notEqual(second.RevisionId, added.RevisionId);
    const forbid = (StatementId: string, RevisionId?: string) =>
      lambda.client.send(new sdk.RemoveLayerVersionPermissionCommand({ ...of, StatementId, RevisionId }));
    await assert.rejects(forbid('none'), isError('ResourceNotFoundException', /^Statement none is not found in resource policy\.$/));
    await assert.rejects(forbid('one', added.RevisionId), isError('PreconditionFailedException'));
    await forbid('one', second.RevisionId);
    await forbid('two');
    await assert.rejects(policy(), isError('ResourceNotFoundException'));
    await assert.rejects(
      add('x', { OrganizationId: 'o-abcdefghij', Principal: '123456789012' }),
      isError('InvalidParameterValueException'),
    );
    await assert.rejects(add('x', { Action: 'lambda:InvokeFunction' }), isError('ValidationException'));
    await assert.rejects(add('x', { VersionNumber: 9 }), isError('ResourceNotFoundException', /^Layer version .*:9 does not exist\.$/));
    const many = async () => {
      for (let i = 0; i < 200; i++) await add(`s${i}`.padEnd(100, 'x'));
    };
    await assert.rejects(many(), isError('PolicyLengthExceededException'));
  });

  test('what the service model does not allow is told in the words of the service', async () => {
    const LayerName = layerName();
    const refused = (promise: Promise<unknown>, name: string, message: RegExp) => assert.rejects(promise, isError(name, message));
    await refused(publish('a b'), 'ValidationException', /^1 validation error detected: Value 'a b' at 'layerName' failed to satisfy/);
    await refused(publish('x'.repeat(120)), 'InvalidParameterValueException', /^The layer name is too long/);
    await refused(
      publish(LayerName, 'x', { CompatibleRuntimes: ['cobol' as 'nodejs'] }),
      'ValidationException',
      /'\[cobol\]' at 'compatibleRuntimes'/,
    );
    await refused(
      publish(LayerName, 'x', { CompatibleRuntimes: Array<'nodejs'>(16).fill('nodejs') }),
      'ValidationException',
      /at 'compatibleRuntimes' failed to satisfy constraint: Member must have length less than or equal to 15/,
    );
    await refused(publish(LayerName, 'x', { Description: 'x'.repeat(257) }), 'ValidationException', /at 'description'/);
    await refused(publish(LayerName, 'x', { LicenseInfo: 'x'.repeat(513) }), 'ValidationException', /at 'licenseInfo'/);
    await refused(publish(LayerName, 'x', { Content: {} }), 'InvalidParameterValueException', /^Please provide a source for the layer\.$/);
    await refused(
      publish(LayerName, 'x', { Content: { S3Bucket: 'bucket', S3Key: 'key' } }),
      'InvalidParameterValueException',
      /does not support code from S3/,
    );
    await refused(get(LayerName, 0), 'InvalidParameterValueException', /^Layer Version Cannot be less than 1$/);
    await refused(remove(LayerName, 0), 'InvalidParameterValueException', /^Layer Version Cannot be less than 1$/);
    await refused(
      lambda.client.send(new sdk.ListLayersCommand({ MaxItems: 51 })),
      'ValidationException',
      /at 'maxItems' failed to satisfy constraint: Member must have value less than or equal to 50/,
    );
    const broken = await fetch(`${lambda.endpoint}/2018-10-31/layers/${LayerName}/versions/one`);
    assert.deepEqual([broken.status, broken.headers.get('x-amzn-errortype')], [400, 'SerializationException']);
    const byArn = new sdk.GetLayerVersionByArnCommand({ Arn: `arn:aws:lambda:us-east-1:000000000000:layer:${LayerName}` });
    await refused(lambda.client.send(byArn), 'ValidationException', /at 'arn' failed to satisfy constraint/);
  });

  test('the account counts what layers take', async () => {
    const total = async () => (await lambda.client.send(new sdk.GetAccountSettingsCommand({}))).AccountUsage!.TotalCodeSize!;
    const before = await total();
    const LayerName = layerName();
    const { Content, LayerVersionArn } = await publish(LayerName, 'counted');
    const bytes = Content!.CodeSize!;
    assert.equal((await total()) - before, bytes);
    const { name, CodeSize } = await lambda.create({ Layers: [LayerVersionArn!] });
    await remove(LayerName, 1);
    assert.equal((await total()) - before, bytes + CodeSize!, 'a deleted layer that a function has takes what it took');
    await configure(name, []);
    assert.equal((await total()) - before, CodeSize);
  });
});
