import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import { temporaryDirectory } from '../temporary.ts';
import { Fixture, ROLE } from './lambda/fixture.ts';

const run = promisify(execFile);
const ENVIRONMENT = {
  ...process.env,
  AWS_ACCESS_KEY_ID: 'test',
  AWS_SECRET_ACCESS_KEY: 'test',
  AWS_DEFAULT_REGION: 'us-east-1',
  AWS_PAGER: '',
};
/** What the tests read of the command's answers. */
type AwsOutput = {
  readonly State?: string;
  readonly StatusCode?: number;
  readonly Version?: string;
  readonly FunctionUrl?: string;
  readonly Configuration?: { readonly Timeout?: number };
  readonly Functions?: readonly { readonly FunctionName: string }[];
};

type AwsScalingOutput = {
  readonly Status?: string;
  readonly FunctionArn?: string;
  readonly ProvisionedConcurrencyConfigs?: readonly AwsScalingOutput[];
  readonly AppliedFunctionScalingConfig?: object;
};

type AwsLayerOutput = {
  readonly LayerVersionArn?: string;
  readonly Version?: number;
  readonly LayerVersions?: readonly object[];
  /** Of a list of layers, and of a function. */
  readonly Layers?: readonly { readonly LayerName?: string; readonly Arn?: string; readonly CodeSize?: number }[];
  readonly Policy?: string;
};

/** The system's interpreter: Debian puts boto3 there. */
const PYTHON = '/usr/bin/python3';

const skipWithout = async (command: string, args: readonly string[]): Promise<string | false> => {
  try {
    await run(command, args, { env: ENVIRONMENT });
    return false;
  } catch (error) {
    return `${command} is not here: ${error instanceof Error ? error.message.split('\n')[0] : ''}`;
  }
};

describe('other clients of the Lambda API', () => {
  const lambda = new Fixture();

  test('the aws command creates, shows, invokes, updates, lists and deletes', async (t) => {
    const missing = await skipWithout('aws', ['--version']);
    if (missing) return t.skip(missing);
    const directory = temporaryDirectory(t);
    const zip = join(directory, 'code.zip');
    const out = join(directory, 'out.json');
    await writeFile(zip, lambda.zip);
    const name = lambda.name();
    const aws = async (...args: string[]): Promise<AwsOutput> => {
      const { stdout } = await run('aws', ['--endpoint-url', lambda.endpoint, '--output', 'json', 'lambda', ...args], { env: ENVIRONMENT });
      return stdout === '' ? {} : (JSON.parse(stdout) as AwsOutput);
    };
    const named = ['--function-name', name];
    const created = await aws(
      'create-function',
      ...named,
      '--runtime',
      'nodejs22.x',
      '--role',
      ROLE,
      '--handler',
      'index.echo',
      '--zip-file',
      `fileb://${zip}`,
    );
    assert.equal(created.State, 'Active');
    await aws('wait', 'function-active-v2', ...named);
    // Version 2 of the command wants payloads in base64.
    const { stdout: version } = await run('aws', ['--version'], { env: ENVIRONMENT });
    const payload = version.startsWith('aws-cli/1') ? '{"name":"Ada"}' : Buffer.from('{"name":"Ada"}').toString('base64');
    const invoked = await aws('invoke', ...named, '--payload', payload, '--log-type', 'Tail', out);
    assert.equal(invoked.StatusCode, 200);
    assert.deepEqual(JSON.parse(await readFile(out, 'utf8')), { name: 'Ada' });
    await aws('update-function-configuration', ...named, '--timeout', '11');
    await aws('wait', 'function-updated-v2', ...named);
    assert.equal((await aws('get-function', ...named)).Configuration?.Timeout, 11);
    assert.equal((await aws('update-function-code', ...named, '--zip-file', `fileb://${zip}`, '--publish')).Version, '1');
    const url = await aws('create-function-url-config', ...named, '--auth-type', 'NONE');
    assert.match(url.FunctionUrl!, /lambda-url/);
    const listed = await aws('list-functions', '--page-size', '1');
    assert.ok(listed.Functions!.some((f) => f.FunctionName === name));
    await aws('delete-function', ...named);
    await assert.rejects(aws('get-function', ...named), /ResourceNotFoundException/);
  });

  test('the aws command publishes, lists, permits, attaches and deletes layers', async (t) => {
    const missing = await skipWithout('aws', ['--version']);
    if (missing) return t.skip(missing);
    const zip = join(temporaryDirectory(t), 'layer.zip');
    await writeFile(zip, lambda.zip);
    const { name } = await lambda.create();
    const aws = async (...args: string[]): Promise<AwsLayerOutput> => {
      const { stdout } = await run('aws', ['--endpoint-url', lambda.endpoint, '--output', 'json', 'lambda', ...args], { env: ENVIRONMENT });
      return stdout === '' ? {} : (JSON.parse(stdout) as AwsLayerOutput);
    };
    const layer = ['--layer-name', `layer-of-${name}`];
    const published = await aws('publish-layer-version', ...layer, '--zip-file', `fileb://${zip}`, '--compatible-runtimes', 'nodejs22.x');
    const arn = published.LayerVersionArn!;
    assert.equal(arn, `arn:aws:lambda:us-east-1:000000000000:layer:layer-of-${name}:1`);
    assert.equal((await aws('get-layer-version-by-arn', '--arn', arn)).Version, 1);
    assert.equal((await aws('list-layer-versions', ...layer, '--page-size', '1')).LayerVersions!.length, 1);
    const listed = await aws('list-layers', '--compatible-runtime', 'nodejs22.x', '--page-size', '1');
    assert.ok(listed.Layers!.some((found) => found.LayerName === layer[1]));
    const number = [...layer, '--version-number', '1'];
    const grant = ['--statement-id', 'all', '--action', 'lambda:GetLayerVersion', '--principal', '*'];
    await aws('add-layer-version-permission', ...number, ...grant);
    assert.match((await aws('get-layer-version-policy', ...number)).Policy!, /"Sid":"all"/);
    await aws('remove-layer-version-permission', ...number, '--statement-id', 'all');
    const configured = await aws('update-function-configuration', '--function-name', name, '--layers', arn);
    assert.deepEqual(configured.Layers, [{ Arn: arn, CodeSize: lambda.zip.length }]);
    await aws('delete-layer-version', ...number);
    await assert.rejects(aws('get-layer-version', ...number), /ResourceNotFoundException/);
  });

  test('the aws command gives provisioned concurrency, shows it and takes it back', async (t) => {
    const missing = await skipWithout('aws', ['--version']);
    if (missing) return t.skip(missing);
    const { name } = await lambda.create({ Publish: true });
    const aws = async (...args: string[]): Promise<AwsScalingOutput> => {
      const { stdout } = await run('aws', ['--endpoint-url', lambda.endpoint, '--output', 'json', 'lambda', ...args], { env: ENVIRONMENT });
      return stdout === '' ? {} : (JSON.parse(stdout) as AwsScalingOutput);
    };
    const version = ['--function-name', name, '--qualifier', '1'];
    await aws('put-provisioned-concurrency-config', ...version, '--provisioned-concurrent-executions', '2');
    assert.equal((await aws('get-provisioned-concurrency-config', ...version)).Status, 'READY');
    const listed = await aws('list-provisioned-concurrency-configs', '--function-name', name);
    assert.deepEqual(
      listed.ProvisionedConcurrencyConfigs!.map((each) => [each.FunctionArn?.split(':').at(-1), each.Status]),
      [['1', 'READY']],
    );
    await aws('delete-provisioned-concurrency-config', ...version);
    await assert.rejects(aws('get-provisioned-concurrency-config', ...version), /ProvisionedConcurrencyConfigNotFoundException/);
    if (await skipWithout('aws', ['lambda', 'put-function-scaling-config', 'help'])) return;
    await aws(
      'put-function-scaling-config',
      ...version,
      '--function-scaling-config',
      'MinExecutionEnvironments=1,MaxExecutionEnvironments=3',
    );
    const scaled = await aws('get-function-scaling-config', ...version);
    assert.deepEqual(scaled.AppliedFunctionScalingConfig, { MinExecutionEnvironments: 1, MaxExecutionEnvironments: 3 });
  });

  test('boto3 creates, invokes, waits and sees typed errors', async (t) => {
    const missing = await skipWithout(PYTHON, ['-c', 'import boto3']);
    if (missing) return t.skip(missing);
    const directory = temporaryDirectory(t);
    const zip = join(directory, 'code.zip');
    await writeFile(zip, lambda.zip);
    const script = `
import boto3, json, sys
endpoint, zip_path, name, role = sys.argv[1:]
client = boto3.client('lambda', endpoint_url=endpoint)
with open(zip_path, 'rb') as f: code = f.read()
client.create_function(FunctionName=name, Runtime='nodejs22.x', Role=role, Handler='index.echo', Code={'ZipFile': code}, Environment={'Variables': {'AA': 'b'}})
client.get_waiter('function_active_v2').wait(FunctionName=name)
answer = client.invoke(FunctionName=name, Payload=json.dumps({'n': [1, 2]}))
assert json.loads(answer['Payload'].read()) == {'n': [1, 2]}, answer
client.update_function_configuration(FunctionName=name, Description='changed')
client.get_waiter('function_updated_v2').wait(FunctionName=name)
assert client.get_function(FunctionName=name)['Configuration']['Description'] == 'changed'
assert name in [f['FunctionName'] for page in client.get_paginator('list_functions').paginate(PaginationConfig={'PageSize': 1}) for f in page['Functions']]
try:
    client.create_function(FunctionName=name, Runtime='nodejs22.x', Role=role, Handler='index.echo', Code={'ZipFile': code})
    raise SystemExit('a second function of one name')
except client.exceptions.ResourceConflictException as error:
    assert error.response['Error']['Message'] == 'Function already exist: ' + name, error.response
try:
    client.invoke(FunctionName=name, Payload=b'x' * (6 * 1024 * 1024 + 1))
    raise SystemExit('a payload over the limit')
except client.exceptions.RequestTooLargeException:
    pass
layer = client.publish_layer_version(LayerName='layer-of-' + name, Content={'ZipFile': code}, CompatibleRuntimes=['nodejs18.x'], CompatibleArchitectures=['arm64'])
assert (layer['Version'], layer['CompatibleArchitectures'], layer['Content']['CodeSize']) == (1, ['arm64'], len(code)), layer
assert client.get_layer_version_by_arn(Arn=layer['LayerVersionArn'])['Content'] == layer['Content']
layers = [l['LayerName'] for page in client.get_paginator('list_layers').paginate(PaginationConfig={'PageSize': 1}) for l in page['Layers']]
assert 'layer-of-' + name in layers, layers
assert client.update_function_configuration(FunctionName=name, Layers=[layer['LayerVersionArn']])['Layers'][0]['CodeSize'] == len(code)
client.delete_layer_version(LayerName='layer-of-' + name, VersionNumber=1)
try:
    client.get_layer_version_policy(LayerName='layer-of-' + name, VersionNumber=1)
    raise SystemExit('a policy of a deleted layer version')
except client.exceptions.ResourceNotFoundException:
    pass
if hasattr(client, 'invoke_with_response_stream'):  # older ones have it not
    stream = client.invoke_with_response_stream(FunctionName=name, Payload=b'{"s":1}')
    assert b''.join(e['PayloadChunk']['Payload'] for e in stream['EventStream'] if 'PayloadChunk' in e) == b'{"s":1}'
version = client.publish_version(FunctionName=name)['Version']
client.put_provisioned_concurrency_config(FunctionName=name, Qualifier=version, ProvisionedConcurrentExecutions=3)
pages = client.get_paginator('list_provisioned_concurrency_configs').paginate(FunctionName=name)
assert [c['AvailableProvisionedConcurrentExecutions'] for page in pages for c in page['ProvisionedConcurrencyConfigs']] == [3]
client.delete_provisioned_concurrency_config(FunctionName=name, Qualifier=version)
try:
    client.get_provisioned_concurrency_config(FunctionName=name, Qualifier=version)
    raise SystemExit('provisioned concurrency that was taken back')
except client.exceptions.ProvisionedConcurrencyConfigNotFoundException:
    pass
client.delete_function(FunctionName=name)
print('done')
`;
    const { stdout } = await run(PYTHON, ['-c', script, lambda.endpoint, zip, lambda.name(), ROLE], { env: ENVIRONMENT });
    assert.equal(stdout.trim(), 'done');
  });
});
