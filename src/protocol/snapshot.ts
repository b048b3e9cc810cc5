import type { SnapshotBlocker } from './frames.ts';

/** `timer (every 1000 ms) at index.js:3:1`. */
export const blockerText = ({ kind, detail, place }: SnapshotBlocker): string =>
  `${kind}${detail === '' ? '' : ` (${detail})`}${place === undefined ? '' : ` at ${place}`}`;

/** Why instances are not forked, or what of init those that are forked all the same don't have; undefined: nothing blocks. */
export function snapshotText(forks: boolean, blockers: readonly SnapshotBlocker[]): string | undefined {
  if (blockers.length === 0) return undefined;
  const what = blockers.map(blockerText).join('; ');
  return forks
    ? `Instances are forked, as SnapStart says, though init leaves open what a fork does not have: ${what}.`
    : `Each instance runs init by itself, because init leaves open what a fork does not have: ${what}.`;
}
