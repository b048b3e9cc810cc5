/**
 * To enter a control group takes the kernel 7 to 15 ms, unless one has been entered a moment ago, or it has been told that groups change all
 * the time: that is an option of any hierarchy (cgroups(7), favordynmods; Linux 6.0), and holds for all of them. Forks of all processes of the
 * machine become slower by a little. So there is a hierarchy without controllers, which nobody uses, in a mount namespace that nobody else sees.
 */
import { libc } from './libc.ts';

const CLONE_NEWNS = 0x00020000;
const MS_REC = 16384n;
const MS_SLAVE = 524288n;
const GROUPS = '/sys/fs/cgroup';

/** As root; for as long as this process and its descendants are there. Where it can't be done, everything works, and starts take longer. */
export function favourGroupMoves(): void {
  if (process.getuid!() !== 0 || libc.unshare(CLONE_NEWNS) === -1) return;
  // What the host mounts later is seen here, and not the other way round.
  if (libc.mount('none', '/', 'none', MS_REC | MS_SLAVE, '') === -1) return;
  libc.mount('none', GROUPS, 'cgroup', 0n, 'none,name=hearth,favordynmods');
}
