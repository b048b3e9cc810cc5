/** A line now and one each tenth of a second. */
export function countdown(from: number): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let left = from;
  return new ReadableStream({
    async pull(controller) {
      controller.enqueue(encoder.encode(left > 0 ? `${left}\n` : 'done\n'));
      if (left-- === 0) return controller.close();
      await new Promise((resolve) => setTimeout(resolve, 100));
    },
  });
}
