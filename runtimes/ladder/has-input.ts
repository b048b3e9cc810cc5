import { libc, pinned } from './libc.ts';

const POLLIN = 1;
const POLLHUP = 16;
const polled = pinned(8);
// By index: user code may have changed what buffers can do.
const words = new Int32Array(polled.buffer.buffer);

/** Whether there is something to be read, or the end; it does not wait. */
export function hasInput(fd: number): boolean {
  words[0] = fd;
  words[1] = POLLIN;
  libc.poll(polled.address, 1n, 0);
  return ((words[1] >>> 16) & (POLLIN | POLLHUP)) !== 0;
}
