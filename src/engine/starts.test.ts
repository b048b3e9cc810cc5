import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StartRecord } from '../ports/mod.ts';
import { bench, deployment, echo, sim, slow } from './engine.testing.ts';
import type { Bench } from './engine.testing.ts';

const told = ({ starts }: Bench): string[] => starts.map(({ kind, cause }) => `${kind}: ${cause}`);
const names = (start: StartRecord | undefined): string[] => start!.steps.map(({ name }) => name);

/** A template that is there before anybody calls; its own start is left out of the record. */
async function prepared(b: Bench, d: ReturnType<typeof deployment>): Promise<void> {
  await Promise.all([b.engine.prepare(d), b.pass(20)]);
  b.starts.splice(0);
}

test('the first call of a deployment boots, and its steps say what it waited for', async () => {
  const b = bench({ functions: { slow } });
  const d = deployment('slow');
  const call = b.call(d, { ms: 10 });
  await b.pass(2);
  b.call(d, { ms: 10 });
  await b.pass(50);
  assert.deepEqual(told(b), ['boot: first call', 'boot: first call']);
  const [first, second] = b.starts;
  assert.equal(first!.id, call.handle.requestId);
  assert.deepEqual(first!.steps, [
    { name: 'arrived', atMs: 0 },
    { name: 'queued', atMs: 0 },
    { name: 'boot ordered', atMs: 0 },
    { name: 'sandbox ordered', atMs: 0 },
    { name: 'ready heard', atMs: 6 },
    { name: 'decided', atMs: 6 },
    { name: 'fork ordered', atMs: 6 },
    { name: 'instance ready', atMs: 9 },
    { name: 'ended', atMs: 19 },
  ]);
  assert.equal(first!.totalMs, 19);
  // It came while the boot was under way.
  assert.deepEqual(second!.steps.slice(0, 3), [
    { name: 'boot ordered', atMs: -2 },
    { name: 'sandbox ordered', atMs: -2 },
    { name: 'arrived', atMs: 0 },
  ]);
  assert.deepEqual(b.engine.stats()[0]!.causes, { warm: {}, fork: {}, boot: { 'first call': 2 }, spawn: {} });
});

test('a boot for a deployment is a start by itself, and who comes meanwhile has waited for it', async () => {
  const b = bench({ functions: { slow } });
  const d = deployment('slow');
  const preparing = b.engine.prepare(d);
  b.call(d, { ms: 10 });
  await b.pass(50);
  await preparing;
  assert.deepEqual(told(b), ['boot: deployed', 'boot: deployed']);
  const [alone, waited] = b.starts;
  assert.deepEqual([alone!.invoked, waited!.invoked], [false, true]);
  assert.notEqual(alone!.id, waited!.id);
  assert.deepEqual(names(alone), ['boot ordered', 'sandbox ordered', 'ready heard', 'template ready']);
  assert.equal(alone!.totalMs, 6);
});

test('where a template is ready a start is a fork: the first of all, or because all are busy', async () => {
  const b = bench({ functions: { slow } });
  const d = deployment('slow');
  await prepared(b, d);
  b.call(d, { ms: 20 });
  b.call(d, { ms: 20 });
  await b.pass(50);
  assert.deepEqual(told(b), ['fork: no instance', 'fork: all busy']);
  assert.deepEqual(names(b.starts[1]), ['arrived', 'decided', 'fork ordered', 'instance ready', 'ended']);
  assert.equal(b.starts[1]!.from, 'template');
  b.call(d, { ms: 5 });
  await b.pass(10);
  assert.deepEqual(told(b).slice(2), ['warm: idle']);
  assert.deepEqual(b.starts[2]!.steps, [
    { name: 'arrived', atMs: 0 },
    { name: 'ended', atMs: 5 },
  ]);
  const { starts, causes } = b.engine.stats()[0]!;
  assert.deepEqual(starts, { warm: 1, fork: 2, boot: 0, spawn: 0 });
  assert.deepEqual(causes, { warm: { idle: 1 }, fork: { 'no instance': 1, 'all busy': 1 }, boot: {}, spawn: {} });
});

test('an instance with room takes one more beside others', async () => {
  const b = bench({ functions: { slow } });
  const d = deployment('slow', { spec: { concurrency: 2 } });
  await prepared(b, d);
  b.call(d, { ms: 20 });
  b.call(d, { ms: 20 });
  await b.pass(50);
  assert.deepEqual(told(b), ['fork: no instance', 'warm: room beside others']);
});

test('who waited for a limit says which', async () => {
  const ofFunction = bench({ functions: { slow } });
  const limited = deployment('slow', { maxInstances: 1 });
  await prepared(ofFunction, limited);
  ofFunction.call(limited, { ms: 20 });
  ofFunction.call(limited, { ms: 5 });
  await ofFunction.pass(60);
  assert.deepEqual(told(ofFunction), ['fork: no instance', 'warm: waited for the function limit']);
  assert.deepEqual(ofFunction.starts[1]!.steps, [
    { name: 'arrived', atMs: 0 },
    { name: 'decided', atMs: 23 },
    { name: 'ended', atMs: 28 },
  ]);

  const ofAccount = bench({ functions: { slow }, limits: { concurrentInvocations: 1 } });
  const [one, other] = [deployment('slow'), deployment('slow')];
  await prepared(ofAccount, one);
  await prepared(ofAccount, other);
  ofAccount.call(one, { ms: 20 });
  ofAccount.call(other, { ms: 5 });
  await ofAccount.pass(60);
  assert.deepEqual(told(ofAccount), ['fork: no instance', 'fork: waited for the account limit']);

  const ofHost = bench({ functions: { slow }, limits: { maxInstancesTotal: 1 } });
  await prepared(ofHost, one);
  await prepared(ofHost, other);
  ofHost.call(one, { ms: 20 });
  ofHost.call(other, { ms: 5 });
  await ofHost.pass(60);
  assert.deepEqual(told(ofHost), ['fork: no instance', 'fork: waited for the host limit']);
});

test('a template that had to be booted again says why', async () => {
  const rested = bench({ functions: { echo }, limits: { keepAliveMs: 1_000, templateKeepAliveMs: 2_000 } });
  const d = deployment('echo');
  rested.call(d);
  await rested.pass(4_000);
  rested.call(d);
  await rested.pass(20);
  assert.deepEqual(told(rested), ['boot: first call', 'boot: template had rested']);

  const lost = bench({ functions: { slow }, sandboxes: { faults: { templateDies: 1 } } });
  const dying = deployment('slow');
  lost.call(dying, { ms: 50 });
  await lost.pass(20);
  lost.call(dying, { ms: 50 });
  await lost.pass(100);
  assert.deepEqual(told(lost), ['boot: first call', 'boot: template was lost']);

  const crowded = bench({ functions: { echo }, limits: { maxTemplates: 1, keepAliveMs: 100 } });
  const [first, second] = [deployment('echo'), deployment('echo')];
  for (const each of [first, second, first]) {
    crowded.call(each);
    await crowded.pass(200);
  }
  assert.deepEqual(told(crowded), ['boot: first call', 'boot: first call', 'boot: template made room']);
});

test('who waited for a boot that failed says so, the next to try says why, and who is refused meanwhile had no start', async () => {
  let broken = true;
  const b = bench({ functions: { flaky: { load: () => (broken ? assert.fail('no database') : () => (call) => call.respond(1)) } } });
  const d = deployment('flaky');
  b.call(d);
  await b.pass(10);
  assert.deepEqual(told(b), ['boot: first call']);
  assert.deepEqual(names(b.starts[0]), ['arrived', 'queued', 'boot ordered', 'boot failed']);
  b.call(d);
  await b.pass(10);
  assert.equal(b.starts.length, 1);
  broken = false;
  await b.pass(200);
  b.call(d);
  await b.pass(20);
  assert.deepEqual(told(b).slice(1), ['boot: earlier boot failed']);
});

test('instances that cannot share an init are booted one by one, and what keeps them from it is named', async () => {
  const detail = `TCP to 10.0.0.1:5432 ${'x'.repeat(1_000)}`;
  const b = bench({ functions: { open: sim((call) => call.respond(1), { blockers: [{ kind: 'socket', detail }] }) } });
  const d = deployment('open');
  await prepared(b, d);
  b.call(d);
  await b.pass(30);
  assert.deepEqual(told(b), ['boot: init cannot be shared']);
  assert.match(b.starts[0]!.detail!, /^socket \(TCP to 10\.0\.0\.1:5432 x+$/);
  assert.equal(b.starts[0]!.detail!.length, 400);

  const off = bench({ functions: { echo } });
  const never = deployment('echo', { spec: { snapshot: 'never' } });
  await prepared(off, never);
  off.call(never);
  await off.pass(30);
  assert.deepEqual(told(off), ['boot: forks are switched off']);
  assert.equal(off.starts[0]!.detail, undefined);
});

test('in a crowd of short invocations one waits for a busy instance, or is handed ahead to it', async () => {
  const b = bench({ functions: { slow }, limits: { processors: 1 }, sandboxes: { handsAhead: true } });
  const d = deployment('slow');
  await prepared(b, d);
  for (let n = 0; n < 12; n++) {
    b.call(d, { ms: 0.1 });
    await b.pass(2);
  }
  // Two at work are enough for one processor.
  b.call(d, { ms: 0.1 });
  b.call(d, { ms: 0.1 });
  await b.pass(20);
  b.starts.splice(0);
  for (let n = 0; n < 12; n++) b.call(d, { ms: 0.1 });
  await b.pass(50);
  const causes = new Set(told(b));
  assert.ok(causes.has('warm: waited for a busy one'), [...causes].join());
  assert.ok(causes.has('warm: handed ahead'), [...causes].join());
  const counted = b.engine.stats()[0]!.causes.warm;
  assert.ok(counted['handed ahead']! > 0 && counted['waited for a busy one']! > 0 && counted['idle']! > 0, JSON.stringify(counted));
});

test('who waits in vain for a busy instance gets one of its own, and says what for', async () => {
  const patient = bench({ functions: { slow } });
  const d = deployment('slow');
  await prepared(patient, d);
  // Known to be fast, then slow: who waits behind it has waited as long as a start takes.
  for (let n = 0; n < 10; n++) {
    patient.call(d, { ms: 0.1 });
    await patient.pass(4);
  }
  patient.starts.splice(0);
  patient.call(d, { ms: 500 });
  patient.call(d, { ms: 1 });
  await patient.pass(600);
  const forked = patient.starts.find(({ kind }) => kind === 'fork')!;
  assert.ok(['waited as long as a start takes', 'the line was long'].includes(forked.cause), forked.cause);
  assert.deepEqual(names(forked).slice(0, 3), ['arrived', 'queued', 'decided']);

  const full = bench({ functions: { slow }, limits: { queueDepth: 1 } });
  const short = deployment('slow');
  await prepared(full, short);
  for (let n = 0; n < 10; n++) {
    full.call(short, { ms: 0.1 });
    await full.pass(4);
  }
  full.starts.splice(0);
  for (let n = 0; n < 3; n++) full.call(short, { ms: 5 });
  await full.pass(100);
  assert.ok(told(full).includes('fork: the line was full'), told(full).join());
});
