// A reactor in AssemblyScript: handle() gets the event as bytes in the module's memory, and says where the answer lies.

const LIMIT = 1_000_000;
const composite = new StaticArray<bool>(LIMIT);

/** Run once, before the first invocation; each invocation begins with what it has made. */
export function _initialize(): void {
  for (let i = 2; i * i < LIMIT; i++) {
    if (composite[i]) continue;
    for (let multiple = i * i; multiple < LIMIT; multiple += i) composite[multiple] = true;
  }
}

export function allocate(length: i32): usize {
  return heap.alloc(length);
}

/** The event is {"n":NUMBER}. */
export function handle(address: usize, length: i32): i64 {
  const event = String.UTF8.decodeUnsafe(address, length);
  const n = I32.parseInt(event.substring(event.indexOf(':') + 1));
  const prime = n < 2 || n >= LIMIT ? 'null' : composite[n] ? 'false' : 'true';
  const answer = String.UTF8.encode(`{"n":${n},"prime":${prime}}`);
  return ((changetype<usize>(answer) as i64) << 32) | answer.byteLength;
}
