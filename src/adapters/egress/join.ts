import type { Socket } from 'node:net';

/** What comes from one goes to the other, at the reader's pace. Either may end its half; when one breaks, so does the other. */
export function joined(one: Socket, other: Socket): void {
  follow(one, other);
  follow(other, one);
}

function follow(from: Socket, to: Socket): void {
  from.pipe(to);
  from.on('error', () => to.destroy());
  // What has arrived is still passed on.
  from.on('close', () => to.destroySoon());
}
