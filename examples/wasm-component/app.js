// A JavaScript engine within the component runs this for each request.
addEventListener('fetch', (event) => event.respondWith(answer(event.request)));

async function answer(request) {
  const { pathname } = new URL(request.url);
  const name = (await request.text()) || 'world';
  return new Response(`Hello, ${name}! You asked for ${pathname}.\n`, { headers: { 'content-type': 'text/plain; charset=utf-8' } });
}
