import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { CATALOGUE } from '../src/kernel/mod.ts';
import type { ErrorEntry } from '../src/kernel/mod.ts';

const folder = join(import.meta.dirname, '../docs/errors');
const pages = readdirSync(folder).filter((name) => name !== 'README.md');
const codes = Object.entries<ErrorEntry>(CATALOGUE);

test('every code has a page, and every page a code', () => {
  assert.deepEqual(pages.toSorted(), codes.map(([code]) => `${code}.md`).toSorted());
});

test('a page says what the catalogue says: summary, status, fault, retryable', () => {
  for (const [code, entry] of codes) {
    const lines = readFileSync(join(folder, `${code}.md`), 'utf8').split('\n');
    const field = (name: string) => lines.find((line) => line.startsWith(`- ${name}: `))?.slice(name.length + 4);
    assert.equal(lines[0], `# ${code}`);
    assert.equal(lines[2], entry.summary, code);
    assert.equal(field('HTTP status'), entry.status === 0 ? 'none: it never leaves over HTTP' : String(entry.status), code);
    assert.equal(field('Fault'), entry.fault, code);
    assert.equal(field('Retryable'), entry.retryable ? 'yes' : 'no', code);
  }
});

test('a page says when it happens and what to do', () => {
  for (const [code] of codes) {
    const text = readFileSync(join(folder, `${code}.md`), 'utf8');
    for (const heading of ['## When it happens', '## What to do']) {
      const body = text.split(`${heading}\n`)[1]?.split('\n## ')[0]?.trim() ?? '';
      assert.ok(body.length > 20, `${code} has nothing under "${heading}"`);
    }
  }
});

test('the index lists every code once, with its status', () => {
  const index = readFileSync(join(folder, 'README.md'), 'utf8');
  const listed = [...index.matchAll(/^\| \[(.+?)\]\((.+?)\.md\) \| (\d+|-) \|/gm)].map((row) => `${row[1]} ${row[2]} ${row[3]}`);
  const expected = codes.map(([code, entry]) => `${code} ${code} ${entry.status === 0 ? '-' : String(entry.status)}`);
  assert.deepEqual(listed.toSorted(), expected.toSorted());
});

test('statuses are HTTP statuses, and the summary is a sentence', () => {
  for (const [code, entry] of codes) {
    assert.ok(entry.status === 0 || entry.status === 200 || (entry.status >= 400 && entry.status < 600), code);
    assert.match(entry.summary, /^[A-Z].*\.$/, code);
  }
});
