/**
 * A container image as the root of a sandbox. The image itself is read-only and need not have what a root needs: places to mount on, and files
 * that name this machine. A few directories and files of the sandbox's own cover it (overlayfs, of two layers that are both only read).
 */
import { closeSync, constants, fstatSync, lstatSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { MS_NODEV, MS_NOSUID, leaveRoot, mountTmp, moveMount } from './isolate.ts';
import { check, libc } from './libc.ts';
import { MS_RDONLY } from './read-only.ts';

const COVER = '/.cover';
const NEW_ROOT = '/.image';
/** What is mounted on. */
const PLACES = ['/dev', '/proc', '/sys', '/tmp'];
/** A list of users that is longer is left out. */
const USERS_BYTES = 64 * 1024;

type ImageOptions = {
  /** The image's root, below the packages. */
  readonly code: string;
  readonly tmpMiB: number;
  readonly uid: number;
  readonly gid: number;
};

/** The image becomes the root of all processes of the sandbox, and nothing else is left in sight. */
export function showImage(spec: ImageOptions): void {
  const image = `/.packages/${spec.code}`;
  for (const path of [NEW_ROOT, COVER, `${COVER}/etc`, ...PLACES.map((place) => COVER + place)]) mkdirSync(path, 0o755);
  const write = (path: string, text: string) => writeFileSync(COVER + path, text, { mode: 0o444 });
  for (const path of ['/etc/hosts', '/etc/resolv.conf']) write(path, readFileSync(path, 'utf8'));
  write('/etc/passwd', withUser(readUsers(image, 'passwd'), `sandbox:x:${spec.uid}:${spec.gid}:sandbox:/tmp:/sbin/nologin`, spec.uid));
  write('/etc/group', withUser(readUsers(image, 'group'), `sandbox:x:${spec.gid}:`, spec.gid));
  const data = `lowerdir=${COVER}:${image}`;
  check(libc.mount('overlay', NEW_ROOT, 'overlay', MS_RDONLY | MS_NOSUID | MS_NODEV, data), 'mount the image');
  for (const place of ['/dev', '/proc']) moveMount(place, NEW_ROOT + place);
  mountTmp(`${NEW_ROOT}/tmp`, spec);
  leaveRoot(NEW_ROOT);
}

/** Of an id that has a name already the first one counts: ours. */
function withUser(users: string, line: string, id: number): string {
  const others = users.split('\n').filter((each) => each !== '' && each.split(':')[2] !== String(id));
  return `${[line, ...others].join('\n')}\n`;
}

/** A file of the image's /etc. Nothing of an image is followed that leads elsewhere: here it would lead out of it. */
function readUsers(image: string, name: string): string {
  if (!lstatSync(`${image}/etc`, { throwIfNoEntry: false })?.isDirectory()) return '';
  const path = `${image}/etc/${name}`;
  if (!lstatSync(path, { throwIfNoEntry: false })?.isFile()) return '';
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    return fstatSync(fd).size > USERS_BYTES ? '' : readFileSync(fd, 'utf8');
  } finally {
    closeSync(fd);
  }
}
