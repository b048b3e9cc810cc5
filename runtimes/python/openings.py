"""
Where init opened what it has left open: Python tells of what is opened (PEP 578), and while init runs the place is remembered. Nobody can take
such a hook out again: outside of init it returns at once.
"""
import os
import sys
import threading
import weakref

# An init that opens more than so many things learns the places of the first ones.
MOST = 1_000
FRAMES = 60

getframe = sys._getframe
own_directory = os.path.dirname(os.path.abspath(__file__))


class Openings:
    def __init__(self):
        self.watching = False
        self.forget()

    def forget(self):
        self.count = 0
        # (weak reference to the socket, place)
        self.sockets = []
        # Path -> place.
        self.files = {}
        # (thread's object, place)
        self.threads = []
        # (subprocess.Popen or None, command, place)
        self.processes = []


openings = Openings()


def install():
    sys.addaudithook(heard)


def watch():
    """From now on; once per init."""
    openings.watching = True
    if not TELLS_OF_THREADS:
        threading._start_new_thread = start_thread


def stop():
    openings.watching = False
    if not TELLS_OF_THREADS and threading._start_new_thread is start_thread:
        threading._start_new_thread = start_new_thread


def start_thread(function, *arguments):
    heard('_thread.start_new_thread', (function,))
    return start_new_thread(function, *arguments)


# Before, Python says nothing of those.
TELLS_OF_THREADS = sys.version_info >= (3, 12)
start_new_thread = None if TELLS_OF_THREADS else threading._start_new_thread


def heard(event, arguments):
    """Called by Python in the middle of anything: it must not raise."""
    if not openings.watching:
        return
    note = NOTES.get(event)
    if note is None or openings.count >= MOST:
        return
    try:
        note(arguments)
    except Exception:
        # Its place is not known, then.
        pass


def note_socket(arguments):
    count()
    openings.sockets.append((weakref.ref(arguments[0]), frames_of(getframe(2))))


def note_file(arguments):
    path = arguments[0]
    # Modules are opened in masses, and closed again.
    if isinstance(path, (str, bytes, os.PathLike)):
        name = os.fsdecode(path)
        if not name.endswith(('.py', '.pyc')):
            count()
            openings.files[os.path.abspath(name)] = frames_of(getframe(2))


def note_thread(arguments):
    count()
    openings.threads.append((getattr(arguments[0], '__self__', None), frames_of(getframe(2))))


def note_popen(arguments):
    count()
    caller = getframe(2)
    openings.processes.append((caller.f_locals.get('self'), command_of(arguments[1]), frames_of(caller)))


def note_fork(arguments):
    count()
    openings.processes.append((None, None, frames_of(getframe(2))))


def count():
    openings.count += 1


NOTES = {
    'socket.__new__': note_socket,
    'open': note_file,
    'sqlite3.connect': note_file,
    '_thread.start_new_thread': note_thread,
    '_thread.start_joinable_thread': note_thread,
    'subprocess.Popen': note_popen,
    'os.fork': note_fork,
    'os.forkpty': note_fork,
    'os.posix_spawn': note_fork,
}


def frames_of(frame):
    """(file, line) of the frames that are not the runtime's, the innermost first."""
    found = []
    while frame is not None and len(found) < FRAMES:
        name = frame.f_code.co_filename
        if not name.startswith(own_directory) and name[:1] != '<':
            found.append((name, frame.f_lineno))
        frame = frame.f_back
    return found


def command_of(arguments):
    if isinstance(arguments, (str, bytes)):
        return os.fsdecode(arguments)
    return ' '.join(os.fsdecode(argument) for argument in arguments)


def place_of(frames, root):
    """`file:line`, below `root`: the innermost in the function's own code, or else in what it brings along."""
    inside = [(name, line) for name, line in frames or () if name.startswith(root + os.sep)]
    vendored = vendored_paths(root) if inside else ()
    own = [(name, line) for name, line in inside if not name.startswith(vendored)]
    for name, line in own or inside:
        return '%s:%d' % (os.path.relpath(name, root), line)
    return None


def vendored_paths(root):
    """Where the packages are that pip has installed with the function."""
    paths = set()
    for directory in {path for path in sys.path if (path + os.sep).startswith(root + os.sep)}:
        try:
            entries = os.listdir(directory)
        except OSError:
            # Named, and not there.
            continue
        for entry in entries:
            if entry.endswith('.dist-info'):
                names = recorded(os.path.join(directory, entry)) or {entry.split('-')[0]}
                paths.update(os.path.join(directory, name) for name in names)
    return tuple(path + end for path in paths for end in ('', os.sep) if end or path.endswith('.py'))


def recorded(package):
    """Top-level names. None where something else than pip has installed it."""
    try:
        with open(os.path.join(package, 'RECORD'), encoding='utf-8') as record:
            return {line.split('/')[0].split(',')[0] for line in record}
    except OSError:
        return set()
