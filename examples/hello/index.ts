import { greet } from './greet.ts';

type Event = {
  readonly name?: string;
  /** There when the function is called by its URL. */
  readonly queryStringParameters?: { readonly name?: string };
};

type Context = { readonly awsRequestId: string; readonly functionName: string };

export async function handler(event: Event, context: Context) {
  const name = event.name ?? event.queryStringParameters?.name ?? 'world';
  console.log('greeting', name);
  return { message: greet(name), function: context.functionName, requestId: context.awsRequestId };
}
