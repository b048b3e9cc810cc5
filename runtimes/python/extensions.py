"""External extensions of a function: files in /opt/extensions, started as processes of their own before the function begins."""
import os
import signal
from errno import EACCES, ENOENT

from . import messages

EXTENSIONS = '/opt/extensions'
HEAD_BYTES = 256


class Launch:
    """`environment`: theirs; `output`: what they write to; `keeper`: where it hears of them; `limit`: what each does last before it begins."""

    def __init__(self, environment, output, keeper, limit):
        self.environment = environment
        self.output = output
        self.keeper = keeper
        self.limit = limit


def launch_all(launch, names):
    """Each is the keeper's child by the time this returns."""
    for place, name in enumerate(names):
        pid = try_fork()
        if pid == 0:
            leave(launch, place, name)
        if pid == -1 or os.waitpid(pid, 0)[1] != 0:
            launch.keeper.record(messages.EXTENSION_NOT_BEGUN, place)


def try_fork():
    try:
        return os.fork()
    except OSError:
        return -1


def leave(launch, place, name):
    """In a child that is in nobody's way: its own child is the extension, and has no parent but the keeper. Never returns."""
    try:
        pid = try_fork()
        if pid == 0:
            begin(launch, place, '%s/%s' % (EXTENSIONS, name))
        os._exit(1 if pid == -1 else 0)
    finally:
        os._exit(1)


def begin(launch, place, path):
    launch.keeper.record(messages.EXTENSION, place)
    os.setsid()
    for fd in (1, 2):
        os.dup2(launch.output, fd)
    os.chdir('/')
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    # What Python does with signals is not for others. Its descriptors close by themselves.
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)
    launch.limit()
    try:
        os.execve(path, [path], launch.environment)
    except OSError as error:
        os.write(1, ('fork/exec %s: %s\n' % (path, explain(path, error))).encode('utf-8', 'backslashreplace'))
        launch.keeper.record(messages.EXTENSION_NOT_BEGUN, place)
    os._exit(1)


def explain(path, error):
    text = os.strerror(error.errno).lower()
    if error.errno not in (ENOENT, EACCES):
        return text
    try:
        with open(path, 'rb') as file:
            line = file.read(HEAD_BYTES).split(b'\n')[0].decode('utf-8', 'backslashreplace')
    except OSError:
        # That it can't be read is the reason.
        return text
    return '%s: its interpreter is "%s"' % (text, line[2:].strip()) if line.startswith('#!') else text
