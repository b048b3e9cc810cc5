"""
A function as a process of its own, with the function's environment as its own, and the channel to the host as descriptor 3. Without a sandbox
what layers bring is where PYTHONPATH says.
"""
import os
import stat

from . import openings
from .channel import Channel
from .init import initialise, prepare
from .serve import Birth, Server, machine_ms
from .trace import set_plainly

CHANNEL = 3
# Inside of a sandbox.
TASK_ROOT = '/var/task'
LAYERS = ('/opt',)


def run(task_root, handler, _concurrency):
    loaded_ms = machine_ms()
    if not is_socket(CHANNEL):
        os.write(2, b'What started the runtime has closed its descriptor 3: a wrapper has to leave descriptors open, as exec in a shell does.\n')
        os._exit(1)
    os.set_inheritable(CHANNEL, False)
    openings.install()
    channel = Channel(CHANNEL)
    inventory = prepare(channel)
    loaded = initialise(channel, handler, task_root, LAYERS if task_root == TASK_ROOT else (), inventory, [began_ms(), loaded_ms])
    if loaded is None:
        os._exit(1)
    server = Server(channel, loaded.call, loaded.facts, set_plainly)
    server.serve(Birth(ready_ms=machine_ms()), loaded.prepare)


def is_socket(fd):
    try:
        return stat.S_ISSOCK(os.fstat(fd).st_mode)
    except OSError:
        return False


def began_ms():
    """When the kernel made this process."""
    try:
        with open('/proc/self/stat', encoding='latin-1') as file:
            ticks = int(file.read().rpartition(')')[2].split()[19])
        return ticks * 1000 / os.sysconf('SC_CLK_TCK')
    except (OSError, ValueError, IndexError):
        return 0
