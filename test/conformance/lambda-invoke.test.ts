import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  InvokeCommand,
  InvokeWithResponseStreamCommand,
  PutFunctionConcurrencyCommand,
  RequestTooLargeException,
  ResourceNotFoundException,
  InvalidRequestContentException,
  InvalidParameterValueException,
  TooManyRequestsException,
} from '@aws-sdk/client-lambda';
import type { InvokeCommandInput, InvokeWithResponseStreamCompleteEvent } from '@aws-sdk/client-lambda';
import { Fixture } from './lambda/fixture.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

describe('Invoke', () => {
  const lambda = new Fixture();
  const invoke = (input: Partial<InvokeCommandInput> & { FunctionName: string }) => lambda.client.send(new InvokeCommand(input));

  test('answers with what the function returns, its version and a request id', async () => {
    const { name } = await lambda.create();
    const answer = await invoke({ FunctionName: name, Payload: '{"grüße":["世界",1]}' });
    assert.equal(answer.StatusCode, 200);
    assert.equal(answer.FunctionError, undefined);
    assert.equal(answer.ExecutedVersion, '$LATEST');
    assert.match(answer.$metadata.requestId!, UUID);
    assert.deepEqual(JSON.parse(answer.Payload!.transformToString()), { grüße: ['世界', 1] });
  });

  test('takes no payload for an empty event, and answers null for nothing', async () => {
    const { name } = await lambda.create();
    assert.equal((await invoke({ FunctionName: name })).Payload!.transformToString(), '{}');
    const { name: silent } = await lambda.create({ Handler: 'index.nothing' });
    assert.equal((await invoke({ FunctionName: silent })).Payload!.transformToString(), 'null');
  });

  test('an error of the function comes as a payload, marked as unhandled', async () => {
    const { name } = await lambda.create({ Handler: 'index.fail' });
    const answer = await invoke({ FunctionName: name });
    assert.equal(answer.StatusCode, 200);
    assert.equal(answer.FunctionError, 'Unhandled');
    const error = JSON.parse(answer.Payload!.transformToString());
    assert.equal(error.errorType, 'TypeError');
    assert.equal(error.errorMessage, 'no such luck');
    assert.equal(error.trace[0], 'TypeError: no such luck');
  });

  test('LogType Tail brings the end of the log', async () => {
    const { name } = await lambda.create();
    const answer = await invoke({ FunctionName: name, LogType: 'Tail' });
    const log = Buffer.from(answer.LogResult!, 'base64').toString();
    assert.match(log, new RegExp(`^START RequestId: ${answer.$metadata.requestId} Version: \\$LATEST`, 'm'));
    assert.equal((await invoke({ FunctionName: name })).LogResult, undefined);
  });

  test('a dry run checks and runs nothing', async () => {
    const { name } = await lambda.create({ Handler: 'index.fail' });
    const answer = await invoke({ FunctionName: name, InvocationType: 'DryRun' });
    assert.equal(answer.StatusCode, 204);
    assert.equal(answer.FunctionError, undefined);
  });

  test('the function sees the request id and the client context', async () => {
    const { name } = await lambda.create({ Handler: 'index.about' });
    const ClientContext = Buffer.from('{"custom":{"a":"b"}}').toString('base64');
    const answer = await invoke({ FunctionName: name, ClientContext });
    const about = JSON.parse(answer.Payload!.transformToString());
    assert.equal(about.id, answer.$metadata.requestId);
    assert.deepEqual(about.client.custom ?? about.client.Custom, { a: 'b' });
  });

  test('a payload at the limit goes through, one byte more is refused', async () => {
    const { name } = await lambda.create({ Handler: 'index.nothing' });
    const limit = 6 * 1024 * 1024;
    const payload = (bytes: number) => Buffer.from(`"${'x'.repeat(bytes - 2)}"`);
    assert.equal((await invoke({ FunctionName: name, Payload: payload(limit) })).StatusCode, 200);
    await assert.rejects(invoke({ FunctionName: name, Payload: payload(limit + 1) }), (error: unknown) => {
      assert.ok(error instanceof RequestTooLargeException);
      assert.equal(error.message, 'Request must be smaller than 6291456 bytes for the InvokeFunction operation');
      return true;
    });
    assert.equal((await invoke({ FunctionName: name })).StatusCode, 200);
  });

  test('what is no JSON is refused', async () => {
    const { name } = await lambda.create();
    for (const Payload of ['{"a":', 'nonsense', Buffer.from([0x22, 0xff, 0x22])]) {
      await assert.rejects(invoke({ FunctionName: name, Payload }), (error: unknown) => {
        assert.ok(error instanceof InvalidRequestContentException);
        assert.match(error.message, /^Could not parse request body into json: Could not parse payload into json: /);
        return true;
      });
    }
  });

  test('what does not exist, and what is not there yet, is refused', async () => {
    await assert.rejects(invoke({ FunctionName: 'nobody' }), ResourceNotFoundException);
    const { name } = await lambda.create();
    await assert.rejects(invoke({ FunctionName: name, Qualifier: '7' }), ResourceNotFoundException);
    await assert.rejects(invoke({ FunctionName: name, InvocationType: 'Event' }), InvalidParameterValueException);
    await assert.rejects(invoke({ FunctionName: `arn:aws:lambda:eu-west-1:000000000000:function:${name}` }), (error: unknown) => {
      assert.ok(error instanceof ResourceNotFoundException);
      assert.equal(error.message, "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')");
      return true;
    });
  });

  test('a function with a reservation of 0 is throttled', async () => {
    const { name } = await lambda.create();
    await lambda.client.send(new PutFunctionConcurrencyCommand({ FunctionName: name, ReservedConcurrentExecutions: 0 }));
    await assert.rejects(invoke({ FunctionName: name }), TooManyRequestsException);
  });

  test('InvokeWithResponseStream brings the answer in chunks, of streaming and of other functions', async () => {
    for (const [Handler, expected] of [
      ['index.stream', 'one,two'],
      ['index.echo', '{"a":1}'],
    ] as const) {
      const { name } = await lambda.create({ Handler });
      const answer = await lambda.client.send(
        new InvokeWithResponseStreamCommand({ FunctionName: name, Payload: '{"a":1}', LogType: 'Tail' }),
      );
      assert.equal(answer.ExecutedVersion, '$LATEST');
      let text = '';
      let complete: InvokeWithResponseStreamCompleteEvent | undefined;
      for await (const event of answer.EventStream!) {
        if (event.PayloadChunk) text += Buffer.from(event.PayloadChunk.Payload!).toString();
        if (event.InvokeComplete) complete = event.InvokeComplete;
      }
      assert.equal(text, expected);
      assert.equal(complete!.ErrorCode, undefined);
      assert.match(Buffer.from(complete!.LogResult!, 'base64').toString(), /START RequestId/);
    }
  });

  test('InvokeWithResponseStream tells a failure at its end', async () => {
    const { name } = await lambda.create({ Handler: 'index.fail' });
    const answer = await lambda.client.send(new InvokeWithResponseStreamCommand({ FunctionName: name }));
    const events = await Array.fromAsync(answer.EventStream!);
    const complete = events.at(-1)!.InvokeComplete!;
    assert.equal(complete.ErrorCode, 'Unhandled');
    assert.equal(JSON.parse(complete.ErrorDetails!).errorMessage, 'no such luck');
  });
});
