"""What init has left behind that a fork of the process would not have, or would share with its siblings: compared before and after."""
import gc
import os
import re
import signal
import threading
import time

from .openings import openings, place_of

# What ends by itself after init is awaited for so long.
PATIENCE_S = 0.1
STEP_S = 0.002
# In a sandbox there are its keeper and this process; elsewhere the machine's processes come and go.
IN_SANDBOX = 2
# Devices that are the same whoever has opened them.
HARMLESS = re.compile(r'^/dev/(null|u?random|zero|full)$')
SOCKET = re.compile(r'^socket:')
# Shared, and writable.
SHARED_MAPPING = re.compile(r'^\S+ .w.s \S+ \S+ \S+ *(.*)$', re.M)


class Inventory:
    def __init__(self):
        self.descriptors = descriptors()
        self.threads = entries('/proc/self/task')
        self.processes = processes() | children()
        self.mappings = shared_mappings()
        # Beside the function, and none of its own.
        self.others = set()

    def look_again(self):
        """At the processes that have come since."""
        self.others = processes() - self.processes


def blockers_since(before, root):
    """`root`: the directory below which places are told."""
    end = time.monotonic() + PATIENCE_S
    found = compare(before, root)
    while found:
        # What nobody refers to any more is closed by this.
        gc.collect()
        found = compare(before, root)
        if not found or time.monotonic() >= end or not any(kind in PASSING for kind, *_ in found):
            break
        time.sleep(STEP_S)
    return [as_dict(blocker) for blocker in merged(found)]


PASSING = ('thread', 'child process')


def as_dict(blocker):
    kind, detail, place, fd = blocker
    told = {'kind': kind, 'detail': detail}
    if place is not None:
        told['place'] = place
    if fd is not None:
        told['fd'] = fd
    return told


def compare(before, root):
    found = []
    sockets = sockets_by_descriptor()
    for fd, target in descriptors().items():
        if before.descriptors.get(fd) == target or HARMLESS.match(target):
            continue
        sock, frames = sockets.get(fd, (None, None))
        if frames is None:
            frames = openings.files.get(target.replace(' (deleted)', ''))
        found.append((kind_of(target), describe_socket(sock) or '%d: %s' % (fd, target), place_of(frames, root), fd))
    found.extend(started_threads(before, root))
    found.extend(started_processes(before, root))
    for name, count in shared_mappings().items():
        if count > before.mappings.get(name, 0):
            detail = '%s is memory that all instances would share' % (name or 'an anonymous mapping')
            found.append(('shared memory', detail, place_of(openings.files.get(name), root), None))
    if any(signal.getitimer(which)[0] > 0 for which in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)):
        found.append(('timer', 'a signal that was asked for (setitimer, alarm)', None, None))
    return found


def kind_of(target):
    if SOCKET.match(target):
        return 'socket'
    if target == 'anon_inode:inotify':
        return 'file watcher'
    return 'event loop' if target == 'anon_inode:[eventpoll]' else 'descriptor'


def sockets_by_descriptor():
    found = {}
    for reference, frames in openings.sockets:
        sock = reference()
        if sock is not None and sock.fileno() >= 0:
            found[sock.fileno()] = sock, frames
    return found


def describe_socket(sock):
    if sock is None:
        return None
    try:
        peer = sock.getpeername()
        return 'a connection to %s' % name_of(peer)
    except OSError:
        pass
    try:
        return 'a socket at %s' % name_of(sock.getsockname())
    except OSError:
        return None


def name_of(address):
    if isinstance(address, tuple):
        return '%s:%s' % address[:2]
    return repr(address or 'the other end of a pair')


def started_threads(before, root):
    tasks = set(entries('/proc/self/task')) - set(before.threads)
    if not tasks:
        return
    places = {id(thread): frames for thread, frames in openings.threads if thread is not None}
    for thread in threading.enumerate():
        task = str(getattr(thread, 'native_id', None))
        if task in tasks:
            tasks.discard(task)
            yield 'thread', thread.name, place_of(places.get(id(thread)), root), None
    unnamed = [frames for thread, frames in openings.threads if thread is None]
    for task in sorted(tasks, key=int):
        name = text_of('/proc/self/task/%s/comm' % task)
        # Between two looks it may have ended.
        if name is not None:
            yield 'thread', name, place_of(unnamed.pop(0) if unnamed else None, root), None


def started_processes(before, root):
    if len(before.processes) > IN_SANDBOX:
        return
    known = {process.pid: (command, frames) for process, command, frames in openings.processes if getattr(process, 'pid', None)}
    unnamed = [(command, frames) for process, command, frames in openings.processes if process is None]
    for pid in sorted(processes() | children(), key=int):
        if pid in before.processes or pid in before.others:
            continue
        command, frames = known.get(int(pid)) or (unnamed.pop(0) if unnamed else (None, None))
        name = command or text_of('/proc/%s/comm' % pid) or 'a process'
        yield 'child process', '%s (pid %s)' % (name, pid), place_of(frames, root), None


def merged(found):
    """The same things from one place as one; without the pipes and sockets by which a child process is spoken to."""
    children = {place for kind, _, place, _ in found if kind == 'child process' and place is not None}
    told = set()
    for kind, detail, place, fd in found:
        if kind in ('socket', 'descriptor') and place in children:
            continue
        key = (kind, detail, place)
        if key not in told:
            told.add(key)
            yield kind, detail, place, fd


def descriptors():
    found = {}
    for name in entries('/proc/self/fd'):
        try:
            found[int(name)] = os.readlink('/proc/self/fd/' + name)
        except OSError:
            # It was the descriptor of the listing itself.
            pass
    return found


def processes():
    return {name for name in entries('/proc') if name.isdigit() and is_running(name)}


def children():
    """Also those that can't be looked at: forks of this process that have become no other program."""
    found = {pid for task in entries('/proc/self/task') for pid in (text_of('/proc/self/task/%s/children' % task) or '').split()}
    return {pid for pid in found if not has_ended(int(pid))}


def has_ended(pid):
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True


def is_running(pid):
    status = text_of('/proc/%s/stat' % pid)
    return status is not None and not re.match(r'\d+ \(.*\) [ZX]', status, re.S)


def shared_mappings():
    """How often each is mapped, by the name of its file."""
    counts = {}
    for name in SHARED_MAPPING.findall(text_of('/proc/self/maps') or ''):
        counts[name] = counts.get(name, 0) + 1
    return counts


def text_of(path):
    try:
        with open(path, encoding='utf-8', errors='replace') as file:
            return file.read().strip()
    except OSError:
        # It has ended meanwhile, or there is no /proc here.
        return None


def entries(path):
    try:
        return os.listdir(path)
    except OSError:
        return []
