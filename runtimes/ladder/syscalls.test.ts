/** The numbers of system calls against the kernel's own headers, where this machine has them (linux-libc-dev). */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { ABSENT, DENIED, HIGHEST_KNOWN, IGNORED, SYSCALLS } from './syscalls.ts';

const HEADERS = {
  x64: ['/usr/include/x86_64-linux-gnu/asm/unistd_64.h', '/usr/include/asm/unistd_64.h', '/usr/x86_64-linux-gnu/include/asm/unistd_64.h'],
  arm64: ['/usr/include/asm-generic/unistd.h'],
} as const;

for (const arch of ['x64', 'arm64'] as const) {
  const path = HEADERS[arch].find((candidate) => existsSync(candidate));
  const skip = path === undefined && 'the headers of the kernel are not installed';
  test(`${arch}: every number is the kernel's`, { skip }, () => {
    const known = read(path!);
    // How many there are.
    known.delete('syscalls');
    const highest = Math.max(...known.values());
    let compared = 0;
    for (const [name, numbers] of Object.entries({ ...SYSCALLS, ...DENIED, ...ABSENT, ...IGNORED })) {
      const number: number = numbers[arch];
      // One that is newer than the headers can't be looked up in them.
      if (number > highest) continue;
      if (number >= 0) assert.equal(known.get(name), number, name);
      else assert.ok(!known.has(name), `${name} exists on ${arch}`);
      compared++;
    }
    assert.ok(compared > 60, `${compared} numbers`);
  });

  test(`${arch}: no number stands for two calls, and none is beyond what is known`, () => {
    const refused = Object.values({ ...DENIED, ...ABSENT, ...IGNORED }).map((numbers): number => numbers[arch]);
    const existing = refused.filter((number) => number >= 0);
    assert.equal(new Set(existing).size, existing.length);
    assert.ok(existing.every((number) => number <= HIGHEST_KNOWN));
  });
}

/** Name -> number. A name can stand for another name. */
function read(path: string): Map<string, number> {
  const text = readFileSync(path, 'latin1');
  const numbers = new Map([...text.matchAll(/^#define __NR(?:3264)?_(\w+)\s+(\d+)$/gm)].map(([, name, number]) => [name!, Number(number)]));
  for (const [, name, other] of text.matchAll(/^#define __NR_(\w+)\s+__NR(?:3264)?_(\w+)$/gm)) {
    if (numbers.has(other!)) numbers.set(name!, numbers.get(other!)!);
  }
  return numbers;
}
