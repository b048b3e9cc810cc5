import { countdown } from './countdown.ts';

type Env = { readonly GREETING?: string };
type Context = { waitUntil(promise: Promise<unknown>): void };

const item = new URLPattern({ pathname: '/items/:id' });

export default {
  async fetch(request: Request, env: Env, ctx: Context): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (pathname === '/') return greet(request, env);
    if (pathname === '/countdown') return new Response(countdown(3), { headers: { 'content-type': 'text/plain' } });
    if (pathname === '/sign' && request.method === 'POST') {
      const bytes = await request.bytes();
      // The client has its answer before this is done.
      ctx.waitUntil(record(bytes.length));
      return new Response(await crypto.subtle.digest('SHA-256', bytes), { headers: { 'content-type': 'application/octet-stream' } });
    }
    const id = item.exec(request.url)?.pathname.groups['id'];
    if (id !== undefined) return Response.json({ id, of: request.headers.get('user-agent') });
    return new Response('nothing is here\n', { status: 404 });
  },
};

function greet(request: Request, env: Env): Response {
  const visits = Number(/(?:^|; )visits=(\d+)/.exec(request.headers.get('cookie') ?? '')?.[1] ?? 0) + 1;
  const headers = new Headers({ 'content-type': 'text/html; charset=utf-8' });
  headers.append('set-cookie', `visits=${visits}; Path=/; HttpOnly`);
  headers.append('set-cookie', `last=${Date.now()}; Path=/; HttpOnly`);
  return new Response(`<!doctype html><title>edge</title><p>${env.GREETING ?? 'Hello'}, visit ${visits}</p>\n`, { headers });
}

async function record(bytes: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 50));
  console.log(`signed ${bytes} bytes`);
}
