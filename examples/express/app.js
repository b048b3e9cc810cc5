// An Express application that knows nothing of functions: `node server.js` runs it as it is.
import express from 'express';

export const app = express();
const notes = [];

app.disable('x-powered-by');
app.use(express.json());

app.get('/', (_request, response) => {
  response.type('html').send('<!doctype html><title>Notes</title><h1>Notes</h1><p>GET and POST /notes');
});

app.get('/notes', (request, response) => {
  const contains = String(request.query.contains ?? '');
  response.json(notes.filter((note) => note.text.includes(contains)));
});

app.post('/notes', (request, response) => {
  if (typeof request.body?.text !== 'string') return response.status(400).json({ error: 'text is missing' });
  const note = { id: notes.length + 1, text: request.body.text };
  notes.push(note);
  response.status(201).location(`/notes/${note.id}`).cookie('last', String(note.id), { httpOnly: true }).json(note);
});

app.get('/notes/:id', (request, response) => {
  const note = notes[Number(request.params.id) - 1];
  if (!note) return response.status(404).json({ error: 'no such note' });
  response.json(note);
});

app.get('/headers', (request, response) => {
  response.json({ agent: request.get('user-agent'), cookie: request.get('cookie'), protocol: request.protocol });
});

app.get('/pixel.png', (_request, response) => {
  response
    .type('png')
    .send(Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64'));
});

app.get('/broken', () => {
  throw new Error('this route is broken');
});
