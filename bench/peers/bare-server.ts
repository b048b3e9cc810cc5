/** The peer "bare node:http": answers every request with the bytes given as JSON in the first argument, and prints its port. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

const answer = JSON.parse(process.argv[2] ?? '') as {
  readonly status: number;
  readonly headers: readonly string[];
  readonly body: string;
};
const body = Buffer.from(answer.body, 'base64');
const headers = [...answer.headers];
const server = createServer((request, response) => {
  request.resume();
  response.writeHead(answer.status, headers);
  response.end(body);
});
server.listen(0, '127.0.0.1', () => console.log(`port ${(server.address() as AddressInfo).port}`));
process.once('SIGTERM', () => process.exit(0));
