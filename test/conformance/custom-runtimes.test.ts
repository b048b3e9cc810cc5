/** Functions that are executables, in real sandboxes. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { below } from '../../tools/processes.ts';
import { temporaryDirectory } from '../temporary.ts';
import { until } from './extensions.testing.ts';
import type { Instance } from '../../src/ports/mod.ts';
import { DRIVERS, ECHO, errorOf, failureOf, invoke, missing, open, shell, skips, templateOf } from './custom-runtimes.testing.ts';

for (const driver of DRIVERS) {
  test(
    `${driver}: a program answers again and again, its output is in the log, and a further instance is another process`,
    { skip: skips[driver] },
    async (t) => {
      const { boot } = await open(t, driver);
      const body =
        'echo "to stdout $event"; echo "to stderr" >&2; curl -sS -o /dev/null -d "{\\"event\\":$event,\\"pid\\":$$}" "$answer/response"';
      const booted = await boot({ bootstrap: shell(body, 'echo "in init"') });
      const template = templateOf(booted);
      assert.deepEqual(booted.log, ['in init']);
      assert.ok(template.initMs > 0);
      const first = template.fork();
      const heard = [await invoke(first, { a: 1 }), await invoke(first, { b: 2 })];
      assert.deepEqual(
        heard.map(({ value }) => (value as { event: unknown }).event),
        [{ a: 1 }, { b: 2 }],
      );
      if (driver === 'linux') assert.equal(heard[0]!.log, 'to stdout {"a":1}\nto stderr');
      for (const { end } of heard) assert.ok(end.kind === 'answered' && (driver === 'spawn' || end.memoryKiB > 0));
      const second = template.fork();
      const pids = [heard[0]!.value, (await invoke(second, 3)).value].map((value) => (value as { pid: number }).pid);
      if (driver === 'spawn') assert.notEqual(pids[0], pids[1]);
      first.kill();
      assert.equal((await invoke(first)).end.kind, 'died');
      assert.equal((await invoke(second)).end.kind, 'answered');
      await first.closed;
      template.close();
      second.kill();
    },
  );

  test(
    `${driver}: where several instances are asked for, the next is started ahead, and told from the others`,
    { skip: skips[driver] },
    async (t) => {
      const { boot } = await open(t, driver);
      const answering = shell(
        'curl -sS -o /dev/null -d "\\"$mine\\"" "$answer/response"',
        'mine=$(cat /proc/sys/kernel/random/uuid); echo "in init"',
      );
      const booted = await boot({ bootstrap: answering });
      const template = templateOf(booted);
      const instances: Instance[] = [];
      const values = new Set<unknown>();
      for (let ahead = false; !ahead;) {
        const instance = template.fork();
        instances.push(instance);
        values.add((await invoke(instance)).value);
        ahead = instance.takeSteps().some(({ name }) => name === 'spare taken');
      }
      assert.equal(values.size, instances.length);
      // What one says that nobody has asked for yet is not lost.
      assert.ok(booted.log.length > 1, 'the line of the one ahead is in the log');
      template.close();
      for (const instance of instances) instance.kill();
      await Promise.all(instances.map(({ closed }) => closed));
    },
  );

  test(`${driver}: a bootstrap that can't be run is named, with what is wrong`, { skip: skips[driver] }, async (t) => {
    const { boot } = await open(t, driver);
    assert.match(errorOf(await boot({ other: ECHO })), /^Runtime\.InvalidEntrypoint: Couldn't find valid bootstrap\(s\): \[.*bootstrap/);
    const plain = errorOf(await boot({ bootstrap: { content: ECHO, mode: 0o644 } }));
    assert.match(plain, /^Runtime\.InvalidEntrypoint: fork\/exec .*bootstrap: permission denied: it is not executable/);
    assert.match(errorOf(await boot({ bootstrap: 'echo no first line' })), /exec format error: it is neither a program .* nor a script/);
    const elf = Buffer.alloc(64);
    elf.writeUInt32BE(0x7f454c46, 0);
    elf.set([2, 1, 1], 4);
    elf.writeUInt16LE(2, 16);
    elf.writeUInt16LE(process.arch === 'x64' ? 183 : 62, 18);
    const foreign = errorOf(await boot({ bootstrap: elf }));
    assert.match(foreign, /exec format error: it was built for (arm64|x86_64), and this machine is (x86_64|arm64)$/);
    // The machine and everything else go on.
    assert.deepEqual((await invoke(templateOf(await boot({ bootstrap: ECHO })).fork(), 1)).end.kind, 'answered');
  });

  test(`${driver}: a runtime that fails, ends, or never asks in init is told so`, { skip: skips[driver] }, async (t) => {
    const { boot } = await open(t, driver);
    const said = `curl -sS -o /dev/null -H 'Lambda-Runtime-Function-Error-Type: Runtime.Config' -d '{"errorMessage":"no config"}' "$api/init/error"; exit 1`;
    assert.equal(errorOf(await boot({ bootstrap: shell('', said) })), 'Runtime.Config: no config');
    const exited = await boot({ bootstrap: '#!/bin/sh\necho why; exit 7\n' });
    assert.deepEqual({ ...failureOf(exited), initMs: 0 }, { kind: 'exited', exit: { kind: 'exited', code: 7 }, initMs: 0 });
    assert.deepEqual(exited.log, ['why']);
    const killed = failureOf(await boot({ bootstrap: '#!/bin/sh\nkill -SEGV $$\n' }));
    assert.deepEqual({ ...killed, initMs: 0 }, { kind: 'exited', exit: { kind: 'signalled', signal: 'SIGSEGV' }, initMs: 0 });
    assert.equal(failureOf(await boot({ bootstrap: '#!/bin/sh\nexec sleep 1000\n' }, { initTimeoutMs: 300 })).kind, 'timedOut');
  });

  test(`${driver}: a runtime that ends while it runs, or answers with an error, is told so`, { skip: skips[driver] }, async (t) => {
    const { boot } = await open(t, driver);
    const template = templateOf(await boot({ bootstrap: shell('exit 9') }));
    assert.deepEqual((await invoke(template.fork())).end, { kind: 'died', exit: { kind: 'exited', code: 9 } });
    assert.deepEqual((await invoke(template.fork())).end, { kind: 'died', exit: { kind: 'exited', code: 9 } }, 'a further one');
    const failing = shell(`curl -sS -o /dev/null -d '{"errorMessage":"m","errorType":"T"}' "$answer/error"`);
    const instance = templateOf(await boot({ bootstrap: failing })).fork();
    for (let i = 0; i < 2; i++) {
      const { end } = await invoke(instance);
      assert.ok(end.kind === 'failed' && end.error.errorType === 'T', JSON.stringify(end));
    }
  });
}

const skip = skips.linux;

for (const hierarchies of [undefined, []]) {
  const how = hierarchies ? 'without control groups' : 'with what control groups there are';
  test(`a program that takes more than its memory is ended, ${how}`, { skip }, async (t) => {
    const { boot } = await open(t, 'linux', hierarchies);
    const body = `[ "$event" = 1 ] && { tail /dev/zero; sleep 5; }; curl -sS -o /dev/null -d "$event" "$answer/response"`;
    const template = templateOf(await boot({ bootstrap: shell(body) }));
    const instance = template.fork();
    assert.equal((await invoke(instance, 0)).end.kind, 'answered');
    const { end } = await invoke(instance, 1);
    // With version 1 of control groups the largest process is killed, and the program goes on.
    if (hierarchies) assert.deepEqual(end, { kind: 'died', exit: { kind: 'outOfMemory' } });
    else assert.ok(end.kind === 'answered' || (end.kind === 'died' && end.exit.kind === 'outOfMemory'), JSON.stringify(end));
    assert.equal((await invoke(template.fork(), 2)).end.kind, 'answered');
  });
}

test('a layer can bring the bootstrap', { skip }, async (t) => {
  const { boot, make } = await open(t, 'linux');
  const template = templateOf(await boot({ data: 'x' }, { layerDirectories: [await make({ bootstrap: ECHO })] }));
  assert.equal((await invoke(template.fork(), 1)).end.kind, 'answered');
});

test(
  'an instance that waits for an event stands still, with all that it has started, and goes on with the next one',
  { skip },
  async (t) => {
    const { boot } = await open(t, 'linux');
    const counting = '(while true; do echo tick; sleep 0.01; done) &';
    const instance = templateOf(await boot({ bootstrap: shell('curl -sS -o /dev/null -d "$event" "$answer/response"', counting) })).fork();
    await invoke(instance, 1);
    let ticks = 0;
    instance.onLog = () => ticks++;
    await until(standsStill, statesOfBootstrap);
    // What was written before that is read.
    for (let turns = 0; turns < 10; turns++) await new Promise(setImmediate);
    const before = ticks;
    await new Promise((resolve) => setTimeout(resolve, 150));
    assert.equal(ticks, before, 'it goes on while it should stand still');
    assert.ok(standsStill(), statesOfBootstrap());
    // It has the time that the function is at work, be that short.
    for (let heard = ''; !heard.includes('tick');) {
      const { log, end } = await invoke(instance, 2);
      assert.equal(end.kind, 'answered');
      heard = log;
    }
  },
);

/** Each is stopped, or waits in the kernel for one that is: a shell does that for a child that has not got to its exec yet (vfork). */
const standsStill = (): boolean => /^(?=D*T)[DT]+$/.test(statesOfBootstrap());

/** Of the program and what it has started, one letter for each: T, it is stopped. D, it waits in the kernel, and no signal wakes it. */
const statesOfBootstrap = (): string =>
  below(process.pid)
    .filter(({ command }) => command.endsWith('/bootstrap'))
    .map(({ state }) => state)
    .join('');

test(
  'a program has its standard descriptors, no pending or ignored signals, and nothing else of what it came from',
  { skip },
  async (t) => {
    const { boot } = await open(t, 'linux');
    const about = `echo "descriptors: $(ls /proc/$$/fd | tr '\\n' ' ')"; grep -E '^Sig(Blk|Ign)' /proc/self/status; env | cut -d= -f1 | sort | tr '\\n' ' '`;
    const template = templateOf(await boot({ bootstrap: shell(`${about}; curl -sS -o /dev/null -d 1 "$answer/response"`) }));
    const { log } = await invoke(template.fork());
    // 10: where dash has the script that it reads.
    assert.match(log, /^descriptors: 0 1 (10 )?2 $/m);
    assert.match(log, /^SigBlk:\t0+\nSigIgn:\t0+$/m);
    assert.match(log, /^AWS_LAMBDA_RUNTIME_API PATH PWD /m);
  },
);

test('each instance has its sandbox: its own processes, network and files', { skip }, async (t) => {
  const { boot } = await open(t, 'linux');
  const body = `echo "$event" >> /tmp/seen; curl -sS -o /dev/null -d "{\\"seen\\":$(wc -l < /tmp/seen),\\"processes\\":$(ls /proc | grep -c '^[0-9]')}" "$answer/response"`;
  const template = templateOf(await boot({ bootstrap: shell(body) }));
  const [first, second] = [template.fork(), template.fork()];
  const answers = [await invoke(first, 1), await invoke(first, 2), await invoke(second, 3)].map(({ value }) => value as { seen: number });
  assert.deepEqual(
    answers.map(({ seen }) => seen),
    [1, 2, 1],
  );
});

/** Runtimes in other languages, without libraries: what they answer an event with is the event and how many there were. */
const LANGUAGES = {
  go: {
    source: `package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
)

func main() {
	api := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/invocation/"
	for served := 1; ; served++ {
		next, err := http.Get(api + "next")
		if err != nil {
			panic(err)
		}
		event, _ := io.ReadAll(next.Body)
		next.Body.Close()
		fmt.Println("event", served)
		answer := fmt.Sprintf("{\\"served\\":%d,\\"event\\":%s}", served, event)
		posted, err := http.Post(api+next.Header.Get("Lambda-Runtime-Aws-Request-Id")+"/response", "application/json", bytes.NewBufferString(answer))
		if err != nil {
			panic(err)
		}
		io.Copy(io.Discard, posted.Body)
		posted.Body.Close()
	}
}
`,
    file: 'main.go',
    build: (source: string, program: string) => ['go', 'build', '-o', program, source],
  },
  rust: {
    source: `use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

fn receive(from: &mut BufReader<TcpStream>) -> (String, Vec<u8>) {
    let (mut id, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        from.read_line(&mut line).unwrap();
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(": ") {
            match name.to_lowercase().as_str() {
                "lambda-runtime-aws-request-id" => id = value.to_string(),
                "content-length" => length = value.parse().unwrap(),
                _ => (),
            }
        }
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body).unwrap();
    (id, body)
}

fn main() {
    let api = std::env::var("AWS_LAMBDA_RUNTIME_API").unwrap();
    let mut to = TcpStream::connect(&api).unwrap();
    let mut from = BufReader::new(to.try_clone().unwrap());
    for served in 1.. {
        write!(to, "GET /2018-06-01/runtime/invocation/next HTTP/1.1\\r\\nHost: {api}\\r\\n\\r\\n").unwrap();
        let (id, event) = receive(&mut from);
        println!("event {served}");
        let answer = format!("{{\\"served\\":{served},\\"event\\":{}}}", String::from_utf8(event).unwrap());
        write!(to, "POST /2018-06-01/runtime/invocation/{id}/response HTTP/1.1\\r\\nHost: {api}\\r\\nContent-Length: {}\\r\\n\\r\\n{answer}", answer.len()).unwrap();
        receive(&mut from);
    }
}
`,
    file: 'main.rs',
    build: (source: string, program: string) => ['rustc', '-O', '-o', program, source],
  },
} as const;

for (const [language, { source, file, build }] of Object.entries(LANGUAGES)) {
  const [compiler] = build('', '');
  test(`a program in ${language} is a function`, { skip: skip || missing(compiler!) }, async (t) => {
    const directory = temporaryDirectory(t);
    await writeFile(join(directory, file), source);
    const [command, ...args] = build(join(directory, file), join(directory, 'bootstrap'));
    const env = { ...process.env, GOCACHE: join(directory, 'cache'), GOFLAGS: '-mod=mod', GO111MODULE: 'off' };
    const compiled = spawnSync(command!, args, { env, encoding: 'utf8' });
    assert.equal(compiled.status, 0, compiled.stderr);
    const { boot } = await open(t, 'linux');
    const template = templateOf(await boot({ bootstrap: await readFile(join(directory, 'bootstrap')) }));
    const instance = template.fork();
    for (const served of [1, 2, 3]) {
      const { value, log } = await invoke(instance, { a: 'grüße' });
      assert.deepEqual([value, log], [{ served, event: { a: 'grüße' } }, `event ${served}`]);
    }
    assert.deepEqual((await invoke(template.fork(), 1)).value, { served: 1, event: 1 });
  });
}
