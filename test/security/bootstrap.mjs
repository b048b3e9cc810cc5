#!/var/lang/bin/node
// A custom runtime for the attackers of this directory: index.mjs is asked what the Runtime API gives.
import { handler } from './index.mjs';

const api = `http://${process.env.AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime/invocation`;
for (;;) {
  const next = await fetch(`${api}/next`);
  const id = next.headers.get('lambda-runtime-aws-request-id');
  let what = 'response';
  let said;
  try {
    said = (await handler(await next.json())) ?? null;
  } catch (error) {
    what = 'error';
    said = { errorType: error.name, errorMessage: error.message };
  }
  await (await fetch(`${api}/${id}/${what}`, { method: 'POST', body: JSON.stringify(said) })).arrayBuffer();
}
