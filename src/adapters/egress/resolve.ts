import { Resolver, lookup } from 'node:dns/promises';

/**
 * The addresses of a name. `named`: an operator has written it into a grant, so it is looked up as this machine does it, hosts file and all.
 * Other names come from functions: they are asked of DNS alone, over sockets. The machine's own way takes a thread, and there are few.
 */
export async function resolveHost(host: string, named: boolean): Promise<readonly string[]> {
  if (named) return (await lookup(host, { all: true })).map(({ address }) => address);
  const resolver = new Resolver({ timeout: TRY_MS, tries: 2 });
  const [four, six] = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)]);
  if (four.status === 'rejected' && six.status === 'rejected') throw four.reason;
  return [four, six].flatMap((heard) => (heard.status === 'fulfilled' ? heard.value : []));
}

const TRY_MS = 3_000;
