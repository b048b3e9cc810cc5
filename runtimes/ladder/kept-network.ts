/** What the keeper does with the sandbox's network, as long as it may: sockets of it for the host. */
import { SystemCallError, libc } from './libc.ts';
import { connectTo, listenFor, openLowPorts } from './loopback.ts';
import { sendMessage, sendRecord } from './messages.ts';
import { RECORD } from './orders.ts';
import type { FunctionMessage } from './orders.ts';

/** `doorway`: where sockets go, -1 without a network of its own; `control`: where is told that they have gone. */
type Ends = { doorway: number; readonly control: number };

/** As long as the root can be written to, and no port is out of reach. */
export function listen(ends: Ends, { listeners, reached, loader }: FunctionMessage): void {
  const { doorway, control } = ends;
  if (listeners.length > 0) {
    const sockets = listenFor(listeners);
    sendMessage(doorway, {}, sockets);
    sendRecord(control, RECORD.listening);
    for (const fd of sockets) libc.close(fd);
  }
  if (doorway !== -1 && loader === 'program') openLowPorts();
  if (reached) return;
  libc.close(doorway);
  ends.doorway = -1;
}

/** The host hears how it went in any case. */
export function connect({ doorway, control }: Ends, id: number, port: number): void {
  let socket: number;
  try {
    socket = connectTo(port);
  } catch (error) {
    if (!(error instanceof SystemCallError)) throw error;
    return void sendRecord(control, RECORD.connected, id, error.errno);
  }
  sendMessage(doorway, { id }, [socket]);
  sendRecord(control, RECORD.connected, id, 0);
  libc.close(socket);
}
