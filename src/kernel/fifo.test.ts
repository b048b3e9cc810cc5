import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { manualClock } from './clock.ts';
import { ExpiringFifo, Fifo } from './fifo.ts';
import type { Linked } from './fifo.ts';

class Member implements Linked<Member> {
  previous: Member | undefined;
  next: Member | undefined;
  queue: Fifo<Member> | undefined;
  dueMs = 0;
  readonly name: number;
  constructor(name: number) {
    this.name = name;
  }
}

function names(fifo: Fifo<Member>): number[] {
  const found: number[] = [];
  for (let member = fifo.first; member; member = member.next) found.push(member.name);
  return found;
}

test('a fifo does what an array does, whatever is pushed and removed', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), fc.nat(9))), (steps) => {
      const fifo = new Fifo<Member>();
      const members = Array.from({ length: 10 }, (_, name) => new Member(name));
      let model: number[] = [];
      for (const [push, name] of steps) {
        const member = members[name]!;
        if (!push) {
          fifo.remove(member);
          model = model.filter((other) => other !== name);
        } else if (!member.queue) {
          fifo.push(member);
          model.push(name);
        }
        assert.deepEqual(names(fifo), model);
        assert.deepEqual([fifo.size, fifo.first?.name, fifo.last?.name], [model.length, model[0], model.at(-1)]);
      }
    }),
  );
});

test('removing from another queue does nothing', () => {
  const [a, b] = [new Fifo<Member>(), new Fifo<Member>()];
  const member = new Member(1);
  a.push(member);
  b.remove(member);
  assert.deepEqual([a.size, b.size, member.queue === a], [1, 0, true]);
});

test('every member expires at its own time, unless it was removed, by one timer for all', () => {
  fc.assert(
    fc.property(fc.array(fc.record({ afterMs: fc.nat(50), staysMs: fc.nat(300) }), { maxLength: 30 }), (arrivals) => {
      const clock = manualClock();
      let timers = 0;
      const expired: { name: number; atMs: number }[] = [];
      const fifo = new ExpiringFifo<Member>({
        clock: {
          ...clock,
          after(delayMs, run) {
            timers++;
            const timer = clock.after(delayMs, () => {
              timers--;
              run();
            });
            return timer;
          },
        },
        ttlMs: 100,
        expire: (member) => void expired.push({ name: member.name, atMs: clock.monotonicMs() }),
      });
      const expected: { name: number; atMs: number }[] = [];
      arrivals.forEach(({ afterMs, staysMs }, name) => {
        clock.advance(afterMs);
        const member = new Member(name);
        fifo.add(member, clock.monotonicMs());
        assert.ok(timers <= 1);
        clock.after(staysMs, () => fifo.remove(member));
        if (staysMs > 100) expected.push({ name, atMs: clock.monotonicMs() + 100 });
      });
      clock.advance(1_000);
      assert.deepEqual(
        expired.filter(({ name }) => arrivals[name]!.staysMs !== 100),
        expected,
      );
      assert.deepEqual([fifo.size, timers], [0, 0]);
    }),
  );
});

test('a timer that fires a fraction early finds its member due', () => {
  let nowMs = 0;
  let fire: (() => void) | undefined;
  const expired: number[] = [];
  const fifo = new ExpiringFifo<Member>({
    clock: { ...manualClock(), monotonicMs: () => nowMs, after: (_, run) => ((fire = run), { cancel() {} }) },
    ttlMs: 100,
    expire: (member) => void expired.push(member.name),
  });
  fifo.add(new Member(1), 0.3);
  nowMs = 100;
  fire!();
  assert.deepEqual(expired, [1]);
});

test('a member that is added while another expires keeps nobody past its time', () => {
  const clock = manualClock();
  const expired: number[] = [];
  const fifo = new ExpiringFifo<Member>({
    clock,
    ttlMs: 100,
    expire: (member) => {
      expired.push(member.name);
      if (member.name === 1) fifo.add(new Member(3), clock.monotonicMs());
    },
  });
  fifo.add(new Member(1), 0);
  clock.advance(50);
  fifo.add(new Member(2), 50);
  clock.advance(100);
  assert.deepEqual(expired, [1, 2]);
  clock.advance(50);
  assert.deepEqual(expired, [1, 2, 3]);
});
